/** Publishes grants to Redis: each operation is one script, so that a gateway that asks and one that follows never disagree. */
import type { Redis } from 'ioredis';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { GrantPublisher } from '../../../actors/ports/grants.ts';
import { LIMITS } from '../../../config/limits.ts';
import { encodeGrant, scopeId, scopeName } from './grant-entry.ts';
import { GRANT_KEYS } from './grant-keys.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const issueScript = loadLuaScript(import.meta.url, './grant-issue.lua');
const revokeScript = loadLuaScript(import.meta.url, './grant-revoke.lua');
const limitScript = loadLuaScript(import.meta.url, './grant-limit.lua');
const suspensionScript = loadLuaScript(import.meta.url, './grant-suspension.lua');

/** @param redis a `command` connection. */
export function createGrantPublisher(redis: Redis, clock: Clock): GrantPublisher {
  const { stream, suspended, limited, tokenPrefix } = GRANT_KEYS;
  const { historyMs } = LIMITS.grants;
  const setSuspension = async (op: 'suspend' | 'reinstate', userId: string) => {
    await suspensionScript.run(redis, [stream, suspended], [op, userId, historyMs]);
  };

  return {
    issue: async (grant) => {
      // The life left is sent, not the moment of expiry, so that the clock of the Redis host plays no part.
      const lifeMs = grant.expiresAtMs - clock.now();
      if (lifeMs <= 0) return;
      const { tokenHash, userId, deviceId, familyId, expiresAtMs } = grant;
      const keys = [
        stream,
        GRANT_KEYS.token(tokenHash),
        suspended,
        limited,
        GRANT_KEYS.index('user_id', userId),
        GRANT_KEYS.index('device_id', deviceId),
        GRANT_KEYS.index('family_id', familyId),
      ];
      const suspendedNow = grant.suspended === true ? '1' : '0';
      await issueScript.run(redis, keys, [
        tokenHash,
        userId,
        deviceId,
        familyId,
        expiresAtMs,
        lifeMs,
        suspendedNow,
        historyMs,
        encodeGrant(grant),
      ]);
    },
    revoke: async (scope) => {
      const name = scopeName(scope);
      const id = scopeId(scope);
      await revokeScript.run(redis, [stream, GRANT_KEYS.index(name, id)], [name, id, historyMs, tokenPrefix]);
    },
    suspend: (userId) => setSuspension('suspend', userId),
    reinstate: (userId) => setSuspension('reinstate', userId),
    limit: async (userId, requestsAtOnce) => {
      await limitScript.run(redis, [stream, limited], [userId, requestsAtOnce ?? '', historyMs]);
    },
  };
}
