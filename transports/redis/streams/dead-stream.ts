/** The dead stream as an operator sees it: what was given up, and the two ways out. The lasting record is `dead_letters`. */
import type { Redis } from 'ioredis';
import { COLLECTOR_GROUP, EVENT_STREAMS, streamKey, type StreamPrefix } from '../../../config/streams.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const revive = loadLuaScript(import.meta.url, './revive.lua', 'dead origin group id');
const discard = loadLuaScript(import.meta.url, './discard.lua', 'dead group id mode');

export interface DeadEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
}

export interface DeadStream {
  length(): Promise<number>;
  /** The newest first. */
  newest(count: number): Promise<readonly DeadEntry[]>;
  /** All, the oldest first, in pages. */
  all(): AsyncIterable<DeadEntry>;
  find(id: string): Promise<DeadEntry | undefined>;
  /** Puts the event back on the stream it came from, to be run anew. `unknown_origin`: that stream is none of ours. `no_event`: it has hundreds of fields, or could not be copied whole. */
  retry(entry: DeadEntry): Promise<'retried' | 'gone' | 'unknown_origin' | 'no_event'>;
  /**
   * Deletes the entry. `unrecorded`: the collector has not copied it into the lasting record, and it was left alone; with `evenUnrecorded`
   * it is deleted nevertheless.
   */
  discard(
    entry: DeadEntry,
    evenUnrecorded?: boolean,
  ): Promise<'discarded' | 'discarded_unrecorded' | 'gone' | 'unrecorded'>;
}

const PAGE = 200;

export function openDeadStream(redis: Redis, prefix?: StreamPrefix): DeadStream {
  const dead = streamKey('dead', prefix);
  const origins = EVENT_STREAMS.filter((kind) => kind !== 'dead').map((kind) => streamKey(kind, prefix));
  return {
    length: () => redis.xlen(dead),
    newest: async (count) => (await redis.xrevrange(dead, '+', '-', 'COUNT', count)).map(toEntry),
    all: async function* () {
      for (let from = '-'; ;) {
        const page = (await redis.xrange(dead, from, '+', 'COUNT', PAGE)).map(toEntry);
        yield* page;
        const last = page.at(-1);
        if (page.length < PAGE || last === undefined) return;
        from = `(${last.id}`;
      }
    },
    find: async (id) => {
      const [found] = await redis.xrange(dead, id, id);
      return found === undefined ? undefined : toEntry(found);
    },
    retry: async ({ id, fields }) => {
      const origin = fields['origin_stream'] ?? '';
      if (!origins.includes(origin)) return 'unknown_origin';
      const revived = await revive(redis, { dead, origin, group: COLLECTOR_GROUP, id });
      if (revived === null) return 'gone';
      return revived === '' ? 'no_event' : 'retried';
    },
    discard: async ({ id }, evenUnrecorded = false) =>
      // The script returns nothing but these words.
      (await discard(redis, {
        dead,
        group: COLLECTOR_GROUP,
        id,
        mode: evenUnrecorded ? 'unrecorded' : 'recorded',
      })) as Awaited<ReturnType<DeadStream['discard']>>,
  };
}

function toEntry([id, flat]: [string, string[]]): DeadEntry {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return { id, fields };
}
