/** Token buckets in Redis, timed by the server's clock so that processes with different clocks agree. */
import type { Redis } from 'ioredis';
import type { RateLimiter } from '../../../actors/ports/rate-limiter.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const script = loadLuaScript(import.meta.url, './rate-limiter.lua');

export function createRedisRateLimiter(redis: Redis): RateLimiter {
  return {
    take: async (key, limit) => Number(await script.run(redis, [`vello:limit:${key}`], [limit.burst, limit.perMinute])),
  };
}
