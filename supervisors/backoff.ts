/** How long a restart waits: longer after every failure, never longer than a cap, and from the start again after a quiet time. */

export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly factor: number;
  /** Up to this share is added at random, so that what failed together does not come back together. */
  readonly jitter: number;
  /** A child that ran this long (and twice its last delay) has recovered: the next delay is `baseMs` again. */
  readonly resetAfterMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 100, maxMs: 30_000, factor: 2, jitter: 0.3, resetAfterMs: 30_000 };
/** Restarts at once, as OTP does. */
export const NO_BACKOFF: Backoff = { baseMs: 0, maxMs: 0, factor: 1, jitter: 0, resetAfterMs: 0 };

/** The delay before try number `failures` + 1, given a random number from 0 to 1. */
export function backoffDelayMs(backoff: Backoff, failures: number, random: number): number {
  const grown = Math.min(backoff.maxMs, backoff.baseMs * backoff.factor ** failures);
  return Math.min(backoff.maxMs, Math.round(grown * (1 + backoff.jitter * random)));
}

/** True when a child that ran for `ranMs` after a delay of `lastDelayMs` counts as recovered. */
export const hasRecovered = (backoff: Backoff, ranMs: number, lastDelayMs: number): boolean =>
  ranMs >= Math.max(backoff.resetAfterMs, 2 * lastDelayMs);
