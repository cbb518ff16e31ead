/** How much shorter a text gets by deflating it: text that repeats itself shrinks most. */
import { deflateSync } from 'node:zlib';

export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length / deflateSync(bytes).length;
}
