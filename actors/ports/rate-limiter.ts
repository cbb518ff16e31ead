/** Token buckets shared by all processes. */

export interface RateLimit {
  /** Requests that may come at once. */
  readonly burst: number;
  /** Requests that are allowed again each minute. */
  readonly perMinute: number;
}

export interface RateLimiter {
  /** Takes one token from the bucket named `key`. Returns 0, or the milliseconds until there will be one. */
  take(key: string, limit: RateLimit): Promise<number>;
}
