/**
 * Refresh rotation (RFC 9700 §4.14.2; contract §3.5): each token works once. The successor is a function of its parent, so that a
 * lost answer can be given again within ten seconds without a second branch; any other reuse ends the family.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { GrantPublisher } from '../ports/grants.ts';
import type { NewFamily, PresentedToken, RotationDecision, TokenFamilies } from './token-families.ts';
import { announceBalance } from '../credits/requests-at-once.ts';
import { decodeBase64url } from '../crypto/base64url.ts';
import { newId } from './new-id.ts';
import type { TokenPair, TokenPairs } from './token-pairs.ts';

/** Life of one refresh token. */
export const REFRESH_TOKEN_MS = 7 * 24 * 3600 * 1000;
/** Life of a family, however often it is rotated. */
const FAMILY_MS = 90 * 24 * 3600 * 1000;
/** How long a parent may be presented again for the same successor: enough for one retry after a lost answer. */
const GRACE_MS = 10_000;

export interface RefreshDependencies {
  readonly families: TokenFamilies;
  readonly pairs: TokenPairs;
  readonly grants: GrantPublisher;
  readonly clock: Clock;
  /** Makes successors; the same on every process. */
  readonly refreshKey: Buffer;
}

/** @throws VelloError `AUTH_REFRESH_INVALID`, `AUTH_REFRESH_REUSED`, `AUTH_DEVICE_REVOKED`, `AUTH_REAUTHENTICATE`, `DEVICE_BLOCKED` */
export async function refresh(refreshToken: string, deps: RefreshDependencies): Promise<TokenPair> {
  const presented = decodeBase64url(refreshToken, 32);
  if (presented === undefined) throw new VelloError('AUTH_REFRESH_INVALID');
  const nowMs = deps.clock.now();
  const rotated = await deps.families.rotate(sha256(presented), (token) =>
    decideRotation(token, nowMs, () => sha256(successorOf(token.tokenId, deps.refreshKey))),
  );
  if (rotated === undefined) throw new VelloError('AUTH_REFRESH_INVALID');
  const { token, decision } = rotated;
  if (decision.kind === 'refuse') throw new VelloError(decision.code);
  if (decision.kind === 'revoke') {
    await deps.grants.revoke({ familyId: token.familyId });
    throw new VelloError('AUTH_REFRESH_REUSED');
  }
  // Said again with each refresh, in case the announcement or its store was lost since the balance changed.
  await announceBalance(deps.grants, token.userId, token.balance, token.creditsSuspended);
  const successor = successorOf(token.tokenId, deps.refreshKey).toString('base64url');
  const expiresAtMs = Math.min(nowMs + REFRESH_TOKEN_MS, token.familyExpiresAtMs);
  return deps.pairs.issue(token, successor, expiresAtMs - nowMs);
}

/** A new family and its first refresh token. */
export function newFamily(nowMs: number): { readonly family: NewFamily; readonly refreshToken: string } {
  const secret = randomBytes(32);
  const family = {
    familyId: newId(),
    sessionId: newId(),
    tokenId: newId(),
    tokenHash: sha256(secret),
    tokenExpiresAtMs: nowMs + REFRESH_TOKEN_MS,
    familyExpiresAtMs: nowMs + FAMILY_MS,
  };
  return { family, refreshToken: secret.toString('base64url') };
}

/** Pure. `successorHash` is only called where a successor is stored. */
export function decideRotation(token: PresentedToken, nowMs: number, successorHash: () => Buffer): RotationDecision {
  if (token.familyRevoked || token.familyExpiresAtMs <= nowMs) return { kind: 'refuse', code: 'AUTH_REFRESH_INVALID' };
  if (token.usedAtMs !== undefined) {
    const lostAnswer = nowMs - token.usedAtMs <= GRACE_MS && !token.successorUsed;
    if (!lostAnswer) return { kind: 'revoke' };
  } else if (token.expiresAtMs <= nowMs) return { kind: 'refuse', code: 'AUTH_REFRESH_INVALID' };
  if (token.deviceRevoked) return { kind: 'refuse', code: 'AUTH_DEVICE_REVOKED' };
  if (token.mustReauthenticate) return { kind: 'refuse', code: 'AUTH_REAUTHENTICATE' };
  if (token.hardwareBlocked) return { kind: 'refuse', code: 'DEVICE_BLOCKED' };
  if (token.usedAtMs !== undefined) return { kind: 'repeat' };
  const expiresAtMs = Math.min(nowMs + REFRESH_TOKEN_MS, token.familyExpiresAtMs);
  return { kind: 'rotate', atMs: nowMs, successor: { tokenId: newId(), hash: successorHash(), expiresAtMs } };
}

const successorOf = (tokenId: string, key: Buffer): Buffer => createHmac('sha256', key).update(tokenId).digest();
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
