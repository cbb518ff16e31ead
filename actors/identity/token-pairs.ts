/** Issues an access token beside a refresh token, and opens the gateway to it before the caller learns it. */
import { VelloError } from '../../config/errors.ts';
import type { GrantPublisher } from '../ports/grants.ts';
import type { TokenFamilies } from './token-families.ts';
import { ACCESS_TOKEN_SECONDS, hashToken, type Tokens } from './tokens.ts';

/** As it is answered (contract §3.4, §3.5). */
export interface TokenPair {
  readonly access_token: string;
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
}

export interface TokenOwner {
  readonly userId: string;
  readonly deviceId: string;
  readonly familyId: string;
}

export interface TokenPairs {
  /** @throws VelloError `AUTH_REFRESH_INVALID` when the family was revoked meanwhile. */
  issue(owner: TokenOwner, refreshToken: string, refreshExpiresInMs: number): Promise<TokenPair>;
}

export function createTokenPairs(options: {
  readonly tokens: Tokens;
  readonly grants: GrantPublisher;
  readonly families: TokenFamilies;
}): TokenPairs {
  const { tokens, grants, families } = options;
  return {
    async issue({ userId, deviceId, familyId }, refreshToken, refreshExpiresInMs) {
      const { token, expiresAtMs } = tokens.issueAccess({ userId, deviceId, familyId });
      await grants.issue({ tokenHash: hashToken(token), userId, deviceId, familyId, expiresAtMs });
      // A revocation that was published before this grant has not closed it; one that comes later will.
      const standing = await families.standing(familyId);
      if (standing !== 'open') await grants.revoke({ familyId });
      // Superseded is no refusal: it is as if this answer had left before the later sign-in came.
      if (standing === 'ended') throw new VelloError('AUTH_REFRESH_INVALID');
      return {
        access_token: token,
        expires_in: ACCESS_TOKEN_SECONDS,
        refresh_token: refreshToken,
        refresh_expires_in: Math.floor(refreshExpiresInMs / 1000),
      };
    },
  };
}
