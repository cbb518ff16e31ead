/** Publishes grants to Redis: each operation is one script, so that a gateway that asks and one that follows never disagree. */
import type { Redis } from 'ioredis';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { GrantPublisher } from '../../../actors/ports/grants.ts';
import { LIMITS } from '../../../config/limits.ts';
import { encodeGrant, scopeId, scopeName, GRANT_KEYS } from './grant-entry.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const issueGrant = loadLuaScript(
  import.meta.url,
  './grant-issue.lua',
  'stream token suspended limited userIndex deviceIndex familyIndex tokenHash userId deviceId familyId expiresAtMs lifeMs isSuspended historyMs grant',
);
const revokeGrants = loadLuaScript(
  import.meta.url,
  './grant-revoke.lua',
  'stream index scope id historyMs tokenPrefix',
);
const limitUser = loadLuaScript(import.meta.url, './grant-limit.lua', 'stream limited userId atOnce historyMs');
const setSuspension = loadLuaScript(import.meta.url, './grant-suspension.lua', 'stream suspended op userId historyMs');

/** @param redis a `command` connection. */
export function createGrantPublisher(redis: Redis, clock: Clock): GrantPublisher {
  const { stream, suspended, limited, tokenPrefix } = GRANT_KEYS;
  const { historyMs } = LIMITS.grants;

  return {
    issue: async (grant) => {
      // The life left is sent, not the moment of expiry, so that the clock of the Redis host plays no part.
      const lifeMs = grant.expiresAtMs - clock.now();
      if (lifeMs <= 0) return;
      const { tokenHash, userId, deviceId, familyId, expiresAtMs } = grant;
      await issueGrant(redis, {
        stream,
        token: GRANT_KEYS.token(tokenHash),
        suspended,
        limited,
        userIndex: GRANT_KEYS.index('user_id', userId),
        deviceIndex: GRANT_KEYS.index('device_id', deviceId),
        familyIndex: GRANT_KEYS.index('family_id', familyId),
        tokenHash,
        userId,
        deviceId,
        familyId,
        expiresAtMs,
        lifeMs,
        isSuspended: grant.suspended === true ? '1' : '0',
        historyMs,
        grant: encodeGrant(grant),
      });
    },
    revoke: async (scope) => {
      const name = scopeName(scope);
      const id = scopeId(scope);
      const index = GRANT_KEYS.index(name, id);
      await revokeGrants(redis, { stream, index, scope: name, id, historyMs, tokenPrefix });
    },
    suspend: async (userId) => {
      await setSuspension(redis, { stream, suspended, op: 'suspend', userId, historyMs });
    },
    reinstate: async (userId) => {
      await setSuspension(redis, { stream, suspended, op: 'reinstate', userId, historyMs });
    },
    limit: async (userId, requestsAtOnce) => {
      await limitUser(redis, { stream, limited, userId, atOnce: requestsAtOnce ?? '', historyMs });
    },
  };
}
