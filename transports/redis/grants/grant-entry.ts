/** Where grants live in Redis, and how they and their operations are written as flat strings and read again. Pure. */
import type { Grant, GrantOperation, RevocationScope } from '../../../actors/ports/grants.ts';

export interface GrantKeys {
  /** Stream of operations, from which gateways rebuild their tables. */
  readonly stream: string;
  /** Set of user ids whose credits are used up. */
  readonly suspended: string;
  /** Hash of user ids and the requests that their balance allows at once. */
  readonly limited: string;
  /** Prefix of the per-token strings that a miss asks for. */
  readonly tokenPrefix: string;
  token(tokenHash: string): string;
  /** Sorted set of token hashes by expiry, so that a revocation finds its tokens. */
  index(scope: GrantScopeName, id: string): string;
}

export const GRANT_KEYS: GrantKeys = {
  stream: 'vello:grants',
  suspended: 'vello:grants:suspended',
  limited: 'vello:grants:limited',
  tokenPrefix: 'vello:grant:',
  token: (tokenHash) => `vello:grant:${tokenHash}`,
  index: (scope, id) => `vello:grants:${scope}:${id}`,
};

export type GrantScopeName = 'user_id' | 'device_id' | 'family_id';

export function scopeName(scope: RevocationScope): GrantScopeName {
  if ('familyId' in scope) return 'family_id';
  return 'deviceId' in scope ? 'device_id' : 'user_id';
}

export function scopeId(scope: RevocationScope): string {
  if ('familyId' in scope) return scope.familyId;
  return 'deviceId' in scope ? scope.deviceId : scope.userId;
}

/** The grant as it is kept under its token's key. */
export function encodeGrant(grant: Grant): string {
  return JSON.stringify({
    user_id: grant.userId,
    device_id: grant.deviceId,
    family_id: grant.familyId,
    expires_at_ms: String(grant.expiresAtMs),
  });
}

/** The grant under a token's key, with what is kept of its user elsewhere; `undefined` when it cannot be read. */
export function decodeGrant(
  tokenHash: string,
  value: string,
  ofUser: { readonly suspended: string; readonly at_once: string },
): Grant | undefined {
  try {
    const fields = JSON.parse(value) as Record<string, string>;
    return readGrant({ ...fields, ...ofUser, token_hash: tokenHash });
  } catch {
    return undefined;
  }
}

/** The operation behind one stream entry, given as names and values in turn; `undefined` for one that this version does not know. */
export function decodeGrantOperation(flat: readonly string[]): GrantOperation | undefined {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  const { op, user_id: userId, device_id: deviceId, family_id: familyId } = fields;
  if (op === 'issue') {
    const grant = readGrant(fields);
    return grant === undefined ? undefined : { op, grant };
  }
  if (op === 'revoke') {
    if (familyId !== undefined) return { op, scope: { familyId } };
    if (deviceId !== undefined) return { op, scope: { deviceId } };
    return userId === undefined ? undefined : { op, scope: { userId } };
  }
  if (userId === undefined) return undefined;
  if (op === 'suspend' || op === 'reinstate') return { op, userId };
  if (op === 'limit') return { op, userId, requestsAtOnce: readBound(fields['at_once']) };
  return undefined;
}

function readGrant(fields: Readonly<Record<string, string>>): Grant | undefined {
  const { token_hash: tokenHash, user_id: userId, device_id: deviceId, family_id: familyId } = fields;
  const expiresAtMs = Number(fields['expires_at_ms']);
  if (tokenHash === undefined || userId === undefined || deviceId === undefined || familyId === undefined) {
    return undefined;
  }
  if (!Number.isSafeInteger(expiresAtMs)) return undefined;
  const requestsAtOnce = readBound(fields['at_once']);
  return {
    tokenHash,
    userId,
    deviceId,
    familyId,
    expiresAtMs,
    suspended: fields['suspended'] === '1',
    ...(requestsAtOnce === undefined ? {} : { requestsAtOnce }),
  };
}

function readBound(text = ''): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}
