/**
 * Blots a provider's key out of an answer that echoes it. Replaces byte for byte, so that lengths stay true, and holds bytes
 * back only while they may be the beginning of the key.
 */
import type { ProviderKey } from '../../actors/relay/provider-key.ts';

const NOTHING: Buffer = Buffer.alloc(0);

/** Shorter secrets would blot out ordinary text; no provider issues such. */
const SHORTEST_KEY = 8;

/** A key as it is looked for: the same for every answer. */
interface Sought {
  readonly bytes: Buffer;
  /** 1 for each byte that the key has: a piece that ends with another one does not end within the key. */
  readonly has: Uint8Array;
}

const soughtByKey = new WeakMap<ProviderKey, Sought>();

function soughtFor(key: ProviderKey): Sought {
  const bytes = Buffer.from(key.reveal());
  const has = new Uint8Array(256);
  for (const byte of bytes) has[byte] = 1;
  return { bytes, has };
}

export class KeyScrubber {
  readonly #sought: Sought | undefined;
  #held = NOTHING;

  constructor(key: ProviderKey | undefined) {
    if (key === undefined || key.reveal().length < SHORTEST_KEY) return;
    let sought = soughtByKey.get(key);
    if (sought === undefined) soughtByKey.set(key, (sought = soughtFor(key)));
    this.#sought = sought;
  }

  /** Returns what passes of it, changed in place. */
  push(chunk: Buffer): Buffer {
    if (this.#sought === undefined || chunk.length === 0) return chunk;
    const { bytes: key, has } = this.#sought;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (let at = bytes.indexOf(key); at !== -1; at = bytes.indexOf(key, at + key.length)) {
      bytes.fill('*', at, at + key.length);
    }
    const keep = has[bytes[bytes.length - 1] ?? 0] === 1 ? partialEnd(bytes, key) : 0;
    if (keep === 0) {
      this.#held = NOTHING;
      return bytes;
    }
    this.#held = Buffer.from(bytes.subarray(bytes.length - keep));
    return bytes.subarray(0, bytes.length - keep);
  }

  /** What was held back; nothing more comes. */
  flush(): Buffer {
    const rest = this.#held;
    this.#held = NOTHING;
    return rest;
  }
}

/** `text` without the key. */
export function scrubText(text: string, secret: string | undefined): string {
  if (secret === undefined || secret.length < SHORTEST_KEY || !text.includes(secret)) return text;
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
