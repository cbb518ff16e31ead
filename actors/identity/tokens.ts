/**
 * Issues and verifies the two kinds of JWT (contract §3.6). They differ in type and audience, so that neither passes for the
 * other. Whether a valid token's family was revoked since is decided in `revocations.ts`.
 */
import { createHash, sign, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { isCanonicalBase64url } from '../crypto/base64url.ts';
import type { KeyRing } from './key-ring.ts';
import { newId } from './new-id.ts';

export const ACCESS_TOKEN_SECONDS = 900;
export const BOOTSTRAP_TOKEN_SECONDS = 300;

/** Whom an access token speaks for. */
export interface Principal {
  readonly userId: string;
  readonly deviceId: string;
  /** The refresh token family that the access token descends from. */
  readonly familyId: string;
  readonly expiresAtMs: number;
}

export interface AccessToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export interface Tokens {
  issueAccess(owner: Omit<Principal, 'expiresAtMs'>): AccessToken;
  /** Proof that its bearer answered a challenge for `publicKey` (base64url) within the last five minutes. */
  issueBootstrap(publicKey: string, deviceId: string | undefined): string;
  /** @throws VelloError `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_INVALID` */
  verifyAccess(token: string): Promise<Principal>;
  /** Returns the public key. @throws VelloError `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_INVALID` */
  verifyBootstrap(token: string): Promise<string>;
}

/** The name under which grants and caches know a token: SHA-256, base64url. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

export function createTokens(options: { readonly keys: KeyRing; readonly clock: Clock }): Tokens {
  const { keys, clock } = options;

  const issue = (kind: Kind, claims: JWTPayload): AccessToken => {
    const { kid, privateKey } = keys.current();
    const issuedAt = Math.floor(clock.now() / 1000);
    const expiresAt = issuedAt + kind.seconds;
    const times = { iat: issuedAt, exp: expiresAt };
    const payload = { ...claims, iss: ISSUER, aud: kind.audience, jti: newId(), ...times };
    const token = signCompact({ alg: 'Ed25519', typ: kind.typ, kid }, payload, privateKey);
    return { token, expiresAtMs: expiresAt * 1000 };
  };

  const verify = async (kind: Kind, token: string): Promise<JWTPayload & { readonly exp: number }> => {
    // One token, one text: what is remembered and revoked by its hash must have no second spelling.
    if (!token.split('.').every(isCanonicalBase64url)) throw new VelloError('AUTH_TOKEN_INVALID');
    try {
      const { payload } = await jwtVerify(
        token,
        ({ kid }) => {
          const key = kid === undefined ? undefined : keys.publicKey(kid);
          if (key === undefined) throw new VelloError('AUTH_TOKEN_INVALID');
          return key;
        },
        {
          algorithms: ['Ed25519'],
          typ: kind.typ,
          issuer: ISSUER,
          audience: kind.audience,
          requiredClaims: [...REQUIRED_CLAIMS, ...kind.claims],
          currentDate: new Date(clock.now()),
        },
      );
      return { ...payload, exp: endOf(kind, payload, clock.now()) };
    } catch (error) {
      if (error instanceof VelloError) throw error;
      if (error instanceof errors.JWTExpired) throw new VelloError('AUTH_TOKEN_EXPIRED', undefined, { cause: error });
      throw new VelloError('AUTH_TOKEN_INVALID', undefined, { cause: error });
    }
  };

  return {
    issueAccess: ({ userId, deviceId, familyId }) => issue(ACCESS, { sub: userId, did: deviceId, fid: familyId }),
    issueBootstrap: (publicKey, deviceId) =>
      issue(BOOTSTRAP, { sub: publicKey, did: deviceId ?? 'unregistered' }).token,
    verifyAccess: async (token) => {
      const { sub, exp, did, fid } = await verify(ACCESS, token);
      if (typeof sub !== 'string' || typeof did !== 'string' || typeof fid !== 'string') {
        throw new VelloError('AUTH_TOKEN_INVALID');
      }
      return { userId: sub, deviceId: did, familyId: fid, expiresAtMs: exp * 1000 };
    },
    verifyBootstrap: async (token) => {
      const { sub } = await verify(BOOTSTRAP, token);
      if (typeof sub !== 'string') throw new VelloError('AUTH_TOKEN_INVALID');
      return sub;
    },
  };
}

/**
 * JWS compact serialization (RFC 7515 §3.1). Not through jose, whose signatures go through the thread pool: the way there and back takes
 * three times as long as the signature.
 */
function signCompact(header: object, payload: object, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

/**
 * When a token ends, in unix seconds: what it claims, but never later than its kind may live.
 * @throws VelloError `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_INVALID` where it was issued in the future
 */
function endOf(kind: Kind, { iat = 0, exp = 0 }: JWTPayload, nowMs: number): number {
  if (iat * 1000 > nowMs + ISSUED_AHEAD_MS) throw new VelloError('AUTH_TOKEN_INVALID');
  const end = Math.min(exp, iat + kind.seconds);
  if (end * 1000 <= nowMs) throw new VelloError('AUTH_TOKEN_EXPIRED');
  return end;
}

/** The clocks of two api hosts may differ by this much. */
const ISSUED_AHEAD_MS = 60_000;

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

interface Kind {
  readonly typ: string;
  readonly audience: string;
  readonly seconds: number;
  readonly claims: readonly string[];
}

const ISSUER = 'vello';
const REQUIRED_CLAIMS = ['iss', 'aud', 'sub', 'did', 'jti', 'iat', 'exp'];
const ACCESS: Kind = { typ: 'at+jwt', audience: 'vello', seconds: ACCESS_TOKEN_SECONDS, claims: ['fid'] };
const BOOTSTRAP: Kind = {
  typ: 'vello-bootstrap+jwt',
  audience: 'vello:devices',
  seconds: BOOTSTRAP_TOKEN_SECONDS,
  claims: [],
};
