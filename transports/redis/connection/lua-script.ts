/** Runs a Lua file that lies beside its caller. The file's header states its keys, arguments and returns; this module only loads and sends it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

export interface LuaScript {
  /** Runs the script atomically and returns what it returns. Sends the source once per server, its SHA-1 afterwards. */
  run(redis: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

/** Loads a script at start, of one file or of several in a row: `loadLuaScript(import.meta.url, './settle.lua')`. */
export function loadLuaScript(moduleUrl: string, ...paths: readonly string[]): LuaScript {
  const source = paths.map((path) => readFileSync(new URL(path, moduleUrl), 'utf8')).join('');
  const sha = createHash('sha1').update(source).digest('hex');
  return {
    run: async (redis, keys, args) => {
      try {
        return await redis.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        // A server that restarted, or a replica that took over, has not seen the script; nothing ran yet.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return redis.eval(source, keys.length, ...keys, ...args);
      }
    },
  };
}
