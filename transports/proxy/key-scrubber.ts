/**
 * Blots a provider's key out of an answer that echoes it. Replaces byte for byte, so that lengths stay true, and holds bytes
 * back only while they may be the beginning of the key.
 */

export interface KeyScrubber {
  push(chunk: Buffer): Buffer;
  /** What was held back; nothing more comes. */
  flush(): Buffer;
}

const nothing = Buffer.alloc(0);

/** Shorter secrets would blot out ordinary text; no provider issues such. */
const SHORTEST_KEY = 8;

export function createKeyScrubber(secret: string | undefined): KeyScrubber {
  if (secret === undefined || secret.length < SHORTEST_KEY) return { push: (chunk) => chunk, flush: () => nothing };
  const key = Buffer.from(secret);
  let held = nothing;
  return {
    push: (chunk) => {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + key.length)) {
        bytes.fill('*', at, at + key.length);
      }
      const keep = partialEnd(bytes, key);
      held = keep === 0 ? nothing : Buffer.from(bytes.subarray(bytes.length - keep));
      return bytes.subarray(0, bytes.length - keep);
    },
    flush: () => {
      const rest = held;
      held = nothing;
      return rest;
    },
  };
}

/** `text` without the key. */
export function scrubText(text: string, secret: string | undefined): string {
  if (secret === undefined || secret.length < SHORTEST_KEY) return text;
  return text.replaceAll(secret, '*'.repeat(secret.length));
}

/** Length of the longest end of `bytes` that is a beginning of `key`. */
function partialEnd(bytes: Buffer, key: Buffer): number {
  const first = key[0] ?? 0;
  const longest = Math.min(bytes.length, key.length - 1);
  let from = bytes.indexOf(first, bytes.length - longest);
  while (from !== -1) {
    const length = bytes.length - from;
    if (length <= longest && bytes.compare(key, 0, length, from) === 0) return length;
    from = bytes.indexOf(first, from + 1);
  }
  return 0;
}
