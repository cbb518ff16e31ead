/** Routes of sign-in: challenge, verify, refresh, logout, the keys that tokens are signed with, and the time (contract §3). */
import { Type } from '@sinclair/typebox';
import { answerChallenge, issueChallenge, type ChallengeDependencies } from '../../../actors/identity/challenge.ts';
import type { KeyRing } from '../../../actors/identity/key-ring.ts';
import { IDENTITY_LIMITS, takeFromAddress } from '../../../actors/identity/rate-limits.ts';
import { refresh, type RefreshDependencies } from '../../../actors/identity/refresh.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { base64url, closed, TIME, TOKEN_PAIR, UUID } from '../api/schemas.ts';

export interface AuthRouteDependencies {
  readonly challenging: ChallengeDependencies;
  readonly refreshing: RefreshDependencies;
  readonly keys: KeyRing;
}

export function authRoutes(deps: AuthRouteDependencies): readonly ApiRoute[] {
  const { challenging, refreshing, keys } = deps;
  const { clock, limiter } = challenging;
  return [
    apiRoute({
      method: 'POST',
      path: '/api/auth/ed25519/challenge',
      tag: 'Sign-in',
      summary: 'Ask for something to sign',
      description: 'The same answer whether or not the key is known. A challenge lives five minutes.',
      auth: 'none',
      body: closed({ public_key: base64url(32, 'The Ed25519 public key.') }),
      answers: { 200: { description: 'The challenge.', schema: CHALLENGE } },
      errors: ['AUTH_KEY_INVALID', 'RATE_LIMITED'],
      handle: async ({ body, request }) => ({
        status: 200,
        body: await issueChallenge({ publicKey: body.public_key, address: request.remoteAddress }, challenging),
      }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/auth/ed25519/verify',
      tag: 'Sign-in',
      summary: 'Answer a challenge',
      description:
        'Signed text: `vello-device-auth:v1`, challenge id, nonce and public key, joined by line feeds. The first answer consumes the challenge, right or wrong.',
      auth: 'none',
      body: closed({ challenge_id: UUID, signature: base64url(64, 'Over the signed text.') }),
      answers: { 200: { description: 'A token that opens `/api/devices/*` for five minutes.', schema: VERIFIED } },
      errors: ['AUTH_CHALLENGE_EXPIRED', 'AUTH_SIGNATURE_INVALID', 'AUTH_DEVICE_REVOKED', 'RATE_LIMITED'],
      handle: async ({ body, request }) => ({
        status: 200,
        body: await answerChallenge(
          { challengeId: body.challenge_id, signature: body.signature, address: request.remoteAddress },
          challenging,
        ),
      }),
    }),
    apiRoute({
      method: 'POST',
      path: '/api/auth/refresh',
      tag: 'Sign-in',
      summary: 'Exchange a refresh token for a new pair',
      description:
        'Each refresh token works once. Within ten seconds the same one is answered with the same successor; any other reuse ends the session.',
      auth: 'none',
      body: closed({ refresh_token: base64url(32, 'From registration or the last refresh.') }),
      answers: { 200: { description: 'The new pair.', schema: closed(TOKEN_PAIR) } },
      errors: [
        'AUTH_REFRESH_INVALID',
        'AUTH_REFRESH_REUSED',
        'AUTH_REAUTHENTICATE',
        'AUTH_DEVICE_REVOKED',
        'DEVICE_BLOCKED',
        'RATE_LIMITED',
      ],
      handle: async ({ body, request }) => {
        await takeFromAddress(limiter, 'refresh', request.remoteAddress, IDENTITY_LIMITS.refreshPerAddress);
        return { status: 200, body: await refresh(body.refresh_token, refreshing) };
      },
    }),
    apiRoute({
      method: 'POST',
      path: '/api/auth/logout',
      tag: 'Sign-in',
      summary: 'End this session',
      description: 'The refresh token, its access tokens and what they open at the gateway end at once.',
      auth: 'access',
      answers: { 204: { description: 'Ended.' } },
      handle: async ({ caller }) => {
        await refreshing.families.end(caller, 'logout');
        // Also when the family had ended before: the announcement of that may have been lost.
        await refreshing.grants.revoke({ familyId: caller.familyId });
        return { status: 204 };
      },
    }),
    apiRoute({
      method: 'GET',
      path: '/.well-known/jwks.json',
      tag: 'Sign-in',
      summary: 'Public keys of our tokens',
      auth: 'none',
      answers: { 200: { description: 'A JSON Web Key Set (RFC 7517).', schema: JWKS } },
      handle: () => ({ status: 200, headers: { 'Cache-Control': 'public, max-age=300' }, body: keys.jwks() }),
    }),
    apiRoute({
      method: 'GET',
      path: '/api/time',
      tag: 'Sign-in',
      summary: 'The server time',
      auth: 'none',
      answers: { 200: { description: 'Now.', schema: closed({ server_time: TIME }) } },
      handle: () => ({ status: 200, body: { server_time: new Date(clock.now()).toISOString() } }),
    }),
  ];
}

const CHALLENGE = closed({
  challenge_id: UUID,
  nonce: base64url(32, 'Fresh, used once.'),
  expires_at: TIME,
  server_time: TIME,
});

const VERIFIED = closed({
  bootstrap_token: Type.String(),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  device_registered: Type.Boolean({ description: 'Whether the key has an account.' }),
  next_sequence: Type.Integer({ description: 'First number that the device may use for a signed request.' }),
  server_time: TIME,
});

const JWKS = Type.Object({ keys: Type.Array(Type.Object({}, { additionalProperties: true })) });
