/** Says whom a presented access token speaks for, verifying each token once and asking about revocation every time. */
import { VelloError } from '../../config/errors.ts';
import { createRecentMap } from '../bounds/recent-map.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import { createTokenBuckets } from '../bounds/token-bucket.ts';
import type { Clock } from '../ports/clock.ts';
import type { Revocations } from './revocations.ts';
import { hashToken, type Principal, type Tokens } from './tokens.ts';

export interface Authenticator {
  /**
   * `address` pays for the look at a token that was not seen before.
   * @throws VelloError `AUTH_TOKEN_MISSING` for the empty string, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_INVALID`, `RATE_LIMITED`;
   *   `UNAVAILABLE` until the revocations are known
   */
  authenticate(token: string, address: SourceAddress): Promise<Principal>;
  /** Returns the public key of a bootstrap token. @throws VelloError as above, but `UNAVAILABLE` */
  authenticateBootstrap(token: string, address: SourceAddress): Promise<string>;
}

export function createAuthenticator(options: {
  readonly tokens: Tokens;
  readonly revocations: Revocations;
  readonly clock: Clock;
  /** Verified tokens to remember. */
  readonly capacity?: number;
}): Authenticator {
  const { tokens, revocations, clock, capacity = 10_000 } = options;
  const verified = createRecentMap<Principal>(capacity);
  const unseen = createTokenBuckets({ ...UNSEEN_TOKENS, monotonicMs: () => clock.monotonicMs() });

  const remembered = (hash: string): Principal | undefined => {
    const principal = verified.get(hash);
    if (principal === undefined || principal.expiresAtMs > clock.now()) return principal;
    verified.delete(hash);
    return undefined;
  };

  const pay = (address: SourceAddress) => {
    const waitMs = unseen.take(address);
    if (waitMs === 0) return;
    throw new VelloError('RATE_LIMITED', 'Too many new tokens from this address.', { retryAfterMs: waitMs });
  };

  return {
    async authenticate(token, address) {
      if (token === '') throw new VelloError('AUTH_TOKEN_MISSING');
      if (token.length > MAX_TOKEN_LENGTH) throw new VelloError('AUTH_TOKEN_INVALID');
      if (!revocations.ready) throw new VelloError('UNAVAILABLE');
      const hash = hashToken(token);
      let principal = remembered(hash);
      if (principal === undefined) {
        pay(address);
        principal = await tokens.verifyAccess(token);
        verified.set(hash, principal);
      }
      if (revocations.isRevoked(principal)) throw new VelloError('AUTH_TOKEN_INVALID', 'The token was revoked.');
      return principal;
    },
    async authenticateBootstrap(token, address) {
      pay(address);
      return tokens.verifyBootstrap(token);
    },
  };
}

/** A thousand desktops behind one address come with one new token each in a quarter of an hour; each costs a signature check. */
const UNSEEN_TOKENS = { burst: 300, perSecond: 20, sources: 10_000 } as const;

/** Ours have about 500 characters; longer ones are not worth hashing. */
const MAX_TOKEN_LENGTH = 4096;
