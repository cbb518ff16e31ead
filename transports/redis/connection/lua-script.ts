/**
 * Runs a Lua file that lies beside its caller. Its header numbers and names its keys and arguments and states what it returns; callers
 * give them by name, so that their order stands in the header alone.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

type Value = string | number;

type Names<List extends string> = List extends `${infer First} ${infer Others}` ? First | Names<Others> : List;

/** A value for each name, and a list for the one that is declared as `...name`. */
type Values<Name extends string> = {
  readonly [N in Name as N extends `...${infer Rest}` ? Rest : N]: N extends `...${string}` ? readonly Value[] : Value;
};

/** Runs the script atomically and returns what it returns. Sends the source once per server, its SHA-1 afterwards. */
export type LuaScript<Name extends string> = (redis: Redis, values: Values<Name>) => Promise<unknown>;

/**
 * Loads a script at start: `loadLuaScript(import.meta.url, './settle.lua', 'stream group consumer mode ...ids')`.
 * @throws Error where the header declares other names than these; their order here is of no account.
 */
export function loadLuaScript<List extends string>(
  moduleUrl: string,
  path: string,
  names: List,
): LuaScript<Names<List>> {
  const url = new URL(path, moduleUrl);
  const text = readFileSync(url, 'utf8');
  const { keys, args, includes } = readLuaHeader(text);
  const declared = [...keys, ...args];
  if (names.split(' ').sort().join() !== [...declared].sort().join()) {
    throw new Error(`${path} takes '${declared.join(' ')}', and its caller gives '${names}'`);
  }
  const source = [...includes.map((included) => readFileSync(new URL(included, url), 'utf8')), text].join('');
  const sha = createHash('sha1').update(source).digest('hex');
  const order = declared.map((name) => name.replace('...', ''));
  return async (redis, values) => {
    const given = values as Readonly<Record<string, Value | readonly Value[]>>;
    const sent: Value[] = [];
    for (const name of order) {
      const value = given[name] as Value | readonly Value[];
      if (typeof value === 'object') sent.push(...value);
      else sent.push(value);
    }
    try {
      return await redis.evalsha(sha, keys.length, ...sent);
    } catch (error) {
      // A server that restarted, or a replica that took over, has not seen the script; nothing ran yet.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(source, keys.length, ...sent);
    }
  };
}

interface LuaHeader {
  readonly keys: readonly string[];
  /** The last is `...name` where it stands for all that follow. */
  readonly args: readonly string[];
  /** Files that are put in front, relative to this one. */
  readonly includes: readonly string[];
}

/**
 * Reads `-- KEYS[1] name: what it is`, `-- ARGV[1] name`, `-- ARGV[2..] name` and `-- @include file` from the comment that opens a script.
 * @throws Error where the numbers do not go up from 1.
 */
export function readLuaHeader(text: string): LuaHeader {
  const header = /^(--.*\n)*/.exec(text)?.[0] ?? '';
  const [keys, args]: [string[], string[]] = [[], []];
  for (const [line, table, position, open = '', name = ''] of header.matchAll(
    /^-- (KEYS|ARGV)\[(\d+)(\.\.)?\] (\w+)/gm,
  )) {
    const names = table === 'KEYS' ? keys : args;
    if (names.push(open === '' ? name : `...${name}`) !== Number(position)) throw new Error(`out of order: ${line}`);
  }
  return { keys, args, includes: [...header.matchAll(/^-- @include (\S+)$/gm)].map(([, file = '']) => file) };
}
