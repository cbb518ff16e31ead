/** Sequence windows in Redis: one hash of constant size per device, one script per step. */
import type { Redis } from 'ioredis';
import { MOST_SKIPPED, type SequenceVerdict, type SequenceWindows } from '../../../actors/identity/sequence-windows.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const markUsed = loadLuaScript(
  import.meta.url,
  './sequence-window.lua',
  'window sequence timestamp digest durableHigh lifetimeSeconds mostSkipped',
);
const resume = loadLuaScript(import.meta.url, './sequence-resume.lua', 'window durableHigh lifetimeSeconds');

/** Longer than any signed time is accepted (2 h either way), so that a forgotten window cannot be replayed into. */
const LIFETIME_SECONDS = 30 * 24 * 3600;

export function createSequenceWindows(redis: Redis): SequenceWindows {
  const key = (deviceId: string) => `vello:sequence:${deviceId}`;
  return {
    mark: async ({ deviceId, sequence, timestamp, digest }, durableHigh) =>
      // The script returns nothing but these words.
      (await markUsed(redis, {
        window: key(deviceId),
        sequence,
        timestamp,
        digest,
        durableHigh: durableHigh ?? '',
        lifetimeSeconds: LIFETIME_SECONDS,
        mostSkipped: MOST_SKIPPED,
      })) as SequenceVerdict,
    resume: async (deviceId, durableHigh) =>
      Number(await resume(redis, { window: key(deviceId), durableHigh, lifetimeSeconds: LIFETIME_SECONDS })),
    forget: async (deviceId) => {
      await redis.del(key(deviceId));
    },
  };
}
