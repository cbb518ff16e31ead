/** Token buckets in Redis, timed by the server's clock so that processes with different clocks agree. */
import type { Redis } from 'ioredis';
import type { RateLimiter } from '../../../actors/ports/rate-limiter.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const takeToken = loadLuaScript(import.meta.url, './rate-limiter.lua', 'bucket burst perMinute');

export function createRateLimiter(redis: Redis): RateLimiter {
  return {
    take: async (key, { burst, perMinute }) =>
      Number(await takeToken(redis, { bucket: `vello:limit:${key}`, burst, perMinute })),
  };
}
