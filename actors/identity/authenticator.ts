/** Says whom a presented access token speaks for, verifying each token once and asking about revocation every time. */
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Revocations } from './revocations.ts';
import { hashToken, type Principal, type Tokens } from './tokens.ts';

export interface Authenticator {
  /**
   * @throws VelloError `AUTH_TOKEN_MISSING` for the empty string, `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_INVALID`; `UNAVAILABLE` until
   *   the revocations are known
   */
  authenticate(token: string): Promise<Principal>;
}

export function createAuthenticator(options: {
  readonly tokens: Tokens;
  readonly revocations: Revocations;
  readonly clock: Clock;
  /** Verified tokens to remember. */
  readonly capacity?: number;
}): Authenticator {
  const { tokens, revocations, clock, capacity = 10_000 } = options;
  const verified = new Map<string, Principal>();

  const remembered = (hash: string): Principal | undefined => {
    const principal = verified.get(hash);
    if (principal === undefined) return undefined;
    verified.delete(hash);
    if (principal.expiresAtMs <= clock.now()) return undefined;
    verified.set(hash, principal);
    return principal;
  };

  return {
    async authenticate(token) {
      if (token === '') throw new VelloError('AUTH_TOKEN_MISSING');
      if (token.length > MAX_TOKEN_LENGTH) throw new VelloError('AUTH_TOKEN_INVALID');
      if (!revocations.ready) throw new VelloError('UNAVAILABLE');
      const hash = hashToken(token);
      let principal = remembered(hash);
      if (principal === undefined) {
        principal = await tokens.verifyAccess(token);
        verified.set(hash, principal);
        const oldest = verified.size > capacity ? verified.keys().next() : undefined;
        if (oldest?.done === false) verified.delete(oldest.value);
      }
      if (revocations.isRevoked(principal)) throw new VelloError('AUTH_TOKEN_INVALID', 'The token was revoked.');
      return principal;
    },
  };
}

/** Ours have about 500 characters; longer ones are not worth hashing. */
const MAX_TOKEN_LENGTH = 4096;
