/** How often identity may be asked, by whom. Generous for people behind one address, narrow for one key. */
import { VelloError } from '../../config/errors.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import type { RateLimit, RateLimiter } from '../ports/rate-limiter.ts';

export const IDENTITY_LIMITS = {
  /** An office or a mobile carrier shares one address. */
  challengePerAddress: { burst: 120, perMinute: 120 },
  /** One desktop needs one challenge; the rest is room for retries. */
  challengePerKey: { burst: 10, perMinute: 10 },
  registerPerAddress: { burst: 120, perMinute: 60 },
  validatePerKey: { burst: 20, perMinute: 20 },
  /** As many as there are challenges. */
  verifyPerAddress: { burst: 120, perMinute: 120 },
  refreshPerAddress: { burst: 600, perMinute: 600 },
  /** Reads all there is of an account. */
  exportPerUser: { burst: 5, perMinute: 1 },
} as const satisfies Record<string, RateLimit>;

/** Counts an attempt of the holder of a network address. @throws VelloError `RATE_LIMITED` */
export function takeFromAddress(
  limiter: RateLimiter,
  what: string,
  address: SourceAddress,
  limit: RateLimit,
): Promise<void> {
  return takeOrRefuse(limiter, `${what}:address:${address}`, limit);
}

/** @throws VelloError `RATE_LIMITED` with the time until the next token. */
export async function takeOrRefuse(limiter: RateLimiter, key: string, limit: RateLimit): Promise<void> {
  const retryAfterMs = await limiter.take(key, limit);
  if (retryAfterMs > 0) throw new VelloError('RATE_LIMITED', undefined, { retryAfterMs });
}
