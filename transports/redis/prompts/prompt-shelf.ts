/**
 * The prompts in Redis, where the api puts them and gateways look for them: when each was made in one hash, which is small enough to be read
 * each second, and its text in another.
 */
import type { Redis } from 'ioredis';
import type { PromptMirrorParts } from '../../../actors/prompts/prompt-mirror.ts';
import type { PromptSource } from '../../../actors/prompts/prompts-follower.ts';
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const putPrompt = loadLuaScript(import.meta.url, './prompt-put.lua', 'times texts name madeAtMs entry');

const KEYS = { times: 'vello:prompts', texts: 'vello:prompts:texts' };

/** @param redis a `command` connection. */
export function createPromptShelf(redis: Redis): PromptMirrorParts['shelf'] & PromptSource {
  const isKnown = (known: ReadonlyMap<string, SystemPrompt>, name: string, madeAtMs: number) =>
    (known.get(name)?.madeAtMs ?? -Infinity) >= madeAtMs;
  return {
    put: async (prompts) => {
      const times = await redis.hgetall(KEYS.times);
      for (const { name, madeAtMs, version, text } of prompts) {
        if (Number(times[name] ?? -1) >= madeAtMs) continue;
        await putPrompt(redis, { ...KEYS, name, madeAtMs, entry: JSON.stringify([madeAtMs, version, text]) });
      }
    },
    newerThan: async (known) => {
      const times = await redis.hgetall(KEYS.times);
      const names = Object.keys(times).filter((name) => !isKnown(known, name, Number(times[name])));
      if (names.length === 0) return [];
      const entries = await redis.hmget(KEYS.texts, ...names);
      return names.flatMap((name, at) => readEntry(name, entries[at]) ?? []);
    },
  };
}

/** `undefined` for what cannot be read. */
function readEntry(name: string, entry: string | null | undefined): SystemPrompt | undefined {
  try {
    const [madeAtMs, version, text] = JSON.parse(entry ?? '') as readonly unknown[];
    if (typeof madeAtMs !== 'number' || typeof version !== 'number' || typeof text !== 'string') return undefined;
    return { name, version, text, madeAtMs };
  } catch {
    return undefined;
  }
}
