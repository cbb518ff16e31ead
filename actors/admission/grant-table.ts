/**
 * The grants a gateway knows, in memory: what a token's hash opens, kept true by the operations that the api publishes.
 * Asks nobody; who is asked about a miss is decided in `admission.ts`.
 */
import { Roster, type Rostered } from '../bounds/roster.ts';
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
  const holds = new Roster<Hold>();
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

  const revoke = (scope: RevocationScope) => {
    restrictions += 1;
    for (const hash of [...(hashesByScope.get(scopeKey(scope)) ?? [])]) {
      const grant = byHash.get(hash);
      if (grant !== undefined) remove(grant);
    }
    for (const hold of holds.all()) {
      if (!isWithin(hold.grant, scope)) continue;
      holds.remove(hold);
      hold.onRevoked();
    }
  };

  return {
    hold: (grant, onRevoked) => {
      const hold = { place: -1, grant, onRevoked };
      holds.add(hold);
      return () => holds.remove(hold);
    },
    lookup: (tokenHash) => {
      const grant = byHash.get(tokenHash);
      if (grant === undefined) return undefined;
      if (grant.expiresAtMs <= now()) {
        remove(grant);
        return undefined;
      }
      // Nearly always nobody is: the user's name need not be fetched from memory.
      const suspended = suspendedUsers.size > 0 && suspendedUsers.has(grant.userId);
      const limit = requestsAtOnce.size > 0 ? requestsAtOnce.get(grant.userId) : undefined;
      if (suspended === (grant.suspended === true) && limit === grant.requestsAtOnce) return grant;
      const { requestsAtOnce: _, ...unlimited } = grant;
      const current = { ...unlimited, suspended, ...(limit === undefined ? {} : { requestsAtOnce: limit }) };
      byHash.set(tokenHash, current);
      return current;
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
interface Hold extends Rostered {
  readonly grant: GrantHolder;
  readonly onRevoked: () => void;
}

function scopeKeys({ userId, deviceId, familyId }: GrantHolder): string[] {
  return [scopeKey({ userId }), scopeKey({ deviceId }), scopeKey({ familyId })];
}

function scopeKey(scope: RevocationScope): string {
  if ('familyId' in scope) return `family ${scope.familyId}`;
  return 'deviceId' in scope ? `device ${scope.deviceId}` : `user ${scope.userId}`;
}

function isWithin(holder: GrantHolder, scope: RevocationScope): boolean {
  if ('familyId' in scope) return holder.familyId === scope.familyId;
  return 'deviceId' in scope ? holder.deviceId === scope.deviceId : holder.userId === scope.userId;
}
