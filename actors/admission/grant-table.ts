/**
 * The grants a gateway knows, in memory: what a token's hash opens, kept true by the operations that the api publishes.
 * Asks nobody; who is asked about a miss is decided in `admission.ts`.
 */
import type { Grant, GrantOperation, RevocationScope } from '../ports/grants.ts';

export interface GrantTable {
  /** The live grant of this token hash; `undefined` when there is none or it expired. */
  lookup(tokenHash: string): Grant | undefined;
  apply(operation: GrantOperation): void;
  /** Calls `onRevoked`, once, when the grant's family, device or user is revoked. Returns what forgets it; repeating that is harmless. */
  hold(grant: GrantHolder, onRevoked: () => void): () => void;
  /** Drops what expired; a look at every grant, so called every few seconds and not per request. */
  sweep(): void;
  readonly size: number;
  /** Revocations and suspensions applied so far: tells whether an answer from elsewhere may be older than one of them. */
  readonly restrictions: number;
}

/** Whose grant it is. */
export type GrantHolder = Pick<Grant, 'userId' | 'deviceId' | 'familyId'>;

/** `now` gives unix milliseconds. */
export function createGrantTable(now: () => number): GrantTable {
  const byHash = new Map<string, Grant>();
  const hashesByScope = new Map<string, Set<string>>();
  const holdsByScope = new Map<string, Set<Hold>>();
  const suspendedUsers = new Set<string>();
  const requestsAtOnce = new Map<string, number>();
  let restrictions = 0;

  const remove = (grant: Grant) => {
    byHash.delete(grant.tokenHash);
    for (const key of scopeKeys(grant)) {
      const hashes = hashesByScope.get(key);
      hashes?.delete(grant.tokenHash);
      if (hashes?.size === 0) hashesByScope.delete(key);
    }
  };

  const issue = (grant: Grant) => {
    if (grant.expiresAtMs <= now()) return;
    byHash.set(grant.tokenHash, grant);
    for (const key of scopeKeys(grant)) {
      const hashes = hashesByScope.get(key) ?? new Set();
      hashesByScope.set(key, hashes.add(grant.tokenHash));
    }
    if (grant.suspended === true) suspendedUsers.add(grant.userId);
    else suspendedUsers.delete(grant.userId);
    setLimit(grant.userId, grant.requestsAtOnce);
  };

  const setLimit = (userId: string, limit: number | undefined) => {
    if (limit === undefined) requestsAtOnce.delete(userId);
    else requestsAtOnce.set(userId, limit);
  };

  const letGo = (hold: Hold) => {
    for (const key of hold.keys) {
      const holds = holdsByScope.get(key);
      holds?.delete(hold);
      if (holds?.size === 0) holdsByScope.delete(key);
    }
  };

  const revoke = (scope: RevocationScope) => {
    restrictions += 1;
    for (const hash of [...(hashesByScope.get(scopeKey(scope)) ?? [])]) {
      const grant = byHash.get(hash);
      if (grant !== undefined) remove(grant);
    }
    for (const hold of [...(holdsByScope.get(scopeKey(scope)) ?? [])]) {
      letGo(hold);
      hold.onRevoked();
    }
  };

  return {
    hold: (grant, onRevoked) => {
      const hold = { keys: scopeKeys(grant), onRevoked };
      for (const key of hold.keys) holdsByScope.set(key, (holdsByScope.get(key) ?? new Set()).add(hold));
      return () => letGo(hold);
    },
    lookup: (tokenHash) => {
      const grant = byHash.get(tokenHash);
      if (grant === undefined) return undefined;
      if (grant.expiresAtMs <= now()) {
        remove(grant);
        return undefined;
      }
      const suspended = suspendedUsers.has(grant.userId);
      const limit = requestsAtOnce.get(grant.userId);
      if (suspended === (grant.suspended === true) && limit === grant.requestsAtOnce) return grant;
      const { requestsAtOnce: _, ...unlimited } = grant;
      return { ...unlimited, suspended, ...(limit === undefined ? {} : { requestsAtOnce: limit }) };
    },
    apply: (operation) => {
      switch (operation.op) {
        case 'issue':
          issue(operation.grant);
          break;
        case 'revoke':
          revoke(operation.scope);
          break;
        case 'suspend':
          restrictions += 1;
          suspendedUsers.add(operation.userId);
          break;
        case 'reinstate':
          suspendedUsers.delete(operation.userId);
          break;
        case 'limit':
          setLimit(operation.userId, operation.requestsAtOnce);
          break;
      }
    },
    sweep: () => {
      for (const grant of byHash.values()) {
        if (grant.expiresAtMs <= now()) remove(grant);
      }
      for (const userId of suspendedUsers) {
        // A later token of his says itself that he is suspended.
        if (!hashesByScope.has(scopeKey({ userId }))) suspendedUsers.delete(userId);
      }
      for (const userId of requestsAtOnce.keys()) {
        if (!hashesByScope.has(scopeKey({ userId }))) requestsAtOnce.delete(userId);
      }
    },
    get size() {
      return byHash.size;
    },
    get restrictions() {
      return restrictions;
    },
  };
}

/** Something that a grant let begin and that ends with it. */
interface Hold {
  readonly keys: readonly string[];
  readonly onRevoked: () => void;
}

function scopeKeys({ userId, deviceId, familyId }: GrantHolder): string[] {
  return [scopeKey({ userId }), scopeKey({ deviceId }), scopeKey({ familyId })];
}

function scopeKey(scope: RevocationScope): string {
  if ('familyId' in scope) return `family ${scope.familyId}`;
  return 'deviceId' in scope ? `device ${scope.deviceId}` : `user ${scope.userId}`;
}
