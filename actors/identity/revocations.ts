/**
 * What was revoked lately, as one api process knows it by following the published grants: an access token of a revoked family,
 * device or user opens nothing more, although its signature still holds.
 */
import type { Clock } from '../ports/clock.ts';
import type { GrantFollower, GrantOperation, RevocationScope } from '../ports/grants.ts';
import { ACCESS_TOKEN_SECONDS, type Principal } from './tokens.ts';

export interface Revocations extends GrantFollower {
  isRevoked(principal: Principal): boolean;
  /** False until the history was read: before that, a revoked token could pass. */
  readonly ready: boolean;
}

/** Families are revoked for good, devices and users too: all their tokens come from a new family, device or user afterwards. */
export function createRevocations(
  clock: Clock,
  onRevoked: (scope: RevocationScope) => void = () => undefined,
): Revocations {
  const until = new Map<string, number>();
  let ready = false;

  const forgetExpired = () => {
    const now = clock.now();
    for (const [key, expiresAtMs] of until) {
      // Entries are in the order of their expiry.
      if (expiresAtMs > now) return;
      until.delete(key);
    }
  };

  return {
    isRevoked: ({ familyId, deviceId, userId }) =>
      until.has(scopeKey({ familyId })) || until.has(scopeKey({ deviceId })) || until.has(scopeKey({ userId })),
    apply(operation: GrantOperation) {
      if (operation.op !== 'revoke') return;
      forgetExpired();
      const key = scopeKey(operation.scope);
      until.delete(key);
      until.set(key, clock.now() + ACCESS_TOKEN_SECONDS * 1000 + MARGIN_MS);
      onRevoked(operation.scope);
    },
    caughtUp: () => void (ready = true),
    // What is known stays true; what is new cannot be published while the store is away.
    lost: () => undefined,
    get ready() {
      return ready;
    },
  };
}

/** Clocks of two api hosts may differ by this much. */
const MARGIN_MS = 60_000;

function scopeKey(scope: RevocationScope): string {
  if ('familyId' in scope) return `family ${scope.familyId}`;
  return 'deviceId' in scope ? `device ${scope.deviceId}` : `user ${scope.userId}`;
}
