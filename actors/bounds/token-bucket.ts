/** A token bucket for each of many sources, in bounded memory. What a token pays for is the caller's affair. */

import { createRecentMap } from './recent-map.ts';

export interface TokenBucketOptions {
  /** Tokens a source may take at once. */
  readonly burst: number;
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Sources remembered; one that is forgotten starts with a full bucket again. */
  readonly sources: number;
  /** Milliseconds from an arbitrary start, never going backwards. */
  readonly monotonicMs: () => number;
}

export interface TokenBuckets {
  /** Takes a token and returns 0, or returns the milliseconds until the next one. */
  take(source: string): number;
}

export function createTokenBuckets(options: TokenBucketOptions): TokenBuckets {
  const { burst, perSecond, sources, monotonicMs } = options;
  const buckets = createRecentMap<{ readonly tokens: number; readonly atMs: number }>(sources);
  return {
    take: (source) => {
      const atMs = monotonicMs();
      const known = buckets.get(source);
      const refilled =
        known === undefined ? burst : Math.min(burst, known.tokens + ((atMs - known.atMs) / 1000) * perSecond);
      const allowed = refilled >= 1;
      buckets.set(source, { tokens: allowed ? refilled - 1 : refilled, atMs });
      return allowed ? 0 : Math.ceil(((1 - refilled) / perSecond) * 1000);
    },
  };
}
