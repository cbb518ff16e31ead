/**
 * The event stream port on Redis Streams: one blocking connection for each reader, the shared command connection for the rest. Every
 * change of an entry's place or owner is one Lua file; this module sends them, brings a lost group back and drops dead sockets.
 */
import type { Redis } from 'ioredis';
import type {
  Claimed,
  ClaimTerms,
  EntryMove,
  EventStream,
  EventStreams,
  StreamDepth,
  StreamEntry,
} from '../../../actors/intake/event-stream.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { Metrics } from '../../../actors/ports/metrics.ts';
import { VelloError } from '../../../config/errors.ts';
import {
  COLLECTOR_GROUP,
  entryTimeMs,
  streamKey,
  type EventStreamKind,
  type StreamPrefix,
} from '../../../config/streams.ts';
import { blockingRead } from '../connection/blocking-read.ts';
import { connectRedis } from '../connection/connect.ts';
import { shareConnection, type ConnectionLease } from '../connection/connection-lease.ts';
import { loadLuaScript } from '../connection/lua-script.ts';
import { createReaderConnection, createKnownReaders, type KnownReaders } from '../connection/reader-connection.ts';

const settleEntries = loadLuaScript(import.meta.url, './settle.lua', 'stream group consumer mode ...ids');
const moveEntries = loadLuaScript(import.meta.url, './move.lua', 'from to dead group consumer ...moves');
const claimEntries = loadLuaScript(
  import.meta.url,
  './claim.lua',
  'stream dead group consumer minIdleMs count maxDeliveries aloneFrom',
);
const heldEntries = loadLuaScript(import.meta.url, './held.lua', 'stream group consumer');
const renewEntries = loadLuaScript(import.meta.url, './renew.lua', 'stream group consumer idleMs');
const releaseEntries = loadLuaScript(import.meta.url, './release.lua', 'stream group consumer');
const forgetConsumers = loadLuaScript(import.meta.url, './forget-consumers.lua', 'stream group idleMs');

interface EventStreamsOptions {
  readonly url: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly prefix?: StreamPrefix;
}

/** Nothing connects before the first `open`, and nothing is left connected after the last `close`. */
export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { url, log } = options;
  const shared = shareConnection(() =>
    connectRedis({ url, use: 'command', name: 'vello-collector', log, withinMs: CONNECT_WITHIN_MS }),
  );
  const readers = createKnownReaders();
  return {
    open: async (kind) => {
      const lease = await shared.lease();
      const stream = createStream(kind, lease, readers, options);
      try {
        await stream.ensureGroup();
        return stream;
      } catch (error) {
        stream.close();
        throw error;
      }
    },
  };
}

const CONNECT_WITHIN_MS = 5000;
/** Beyond what a line ever holds. */
const MOST_OWNED = 10_000;

function createStream(
  kind: EventStreamKind,
  { connection: commands, giveBack }: ConnectionLease,
  readers: KnownReaders,
  options: EventStreamsOptions,
): EventStream & { ensureGroup(): Promise<void> } {
  const { url, prefix, metrics, log } = options;
  const name = `vello-collector-${kind}`;
  const connect = () => connectRedis({ url, use: 'blocking', name, log, withinMs: CONNECT_WITHIN_MS });
  const reading = createReaderConnection({ name, commands, readers, connect });
  const stream = streamKey(kind, prefix);
  const dead = streamKey('dead', prefix);
  const group = COLLECTOR_GROUP;

  const ensureGroup = async (): Promise<void> => {
    try {
      // From the first entry on: at `$`, what arrived between the loss and now would never be delivered.
      await commands.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
      log.info('made the consumer group', { stream, group });
    } catch (error) {
      if (!isRefusal(error, 'BUSYGROUP')) throw error;
    }
  };

  /** Runs `work`; where the store has lost the group, makes it again and returns what `work` would have found in a new one. */
  const withGroup = async <T>(work: () => Promise<T>, inNewGroup: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!GROUP_IS_GONE.some((code) => isRefusal(error, code))) throw asUnavailable(error);
      log.warn('the consumer group is gone; making it again', { stream, group });
      metrics.count('vello_stream_groups_recreated_total', { stream: kind });
      try {
        await ensureGroup();
      } catch (again) {
        throw asUnavailable(again);
      }
      return inNewGroup;
    }
  };

  /** Their note on the dead stream says the same. */
  const reportGivenUp = (entries: unknown) => {
    const givenUp = toIds(entries);
    if (givenUp.length > 0) log.error('entries could not be copied and were given up', { stream, givenUp });
  };

  const leave = async (mode: 'delete' | 'keep', consumer: string, ids: readonly string[]) => {
    if (ids.length === 0) return [];
    return withGroup(async () => toIds(await settleEntries(commands, { stream, group, consumer, mode, ids })), ids);
  };

  return {
    kind,
    ensureGroup,
    read: (consumer, count, waitMs) =>
      withGroup(async () => {
        const reader = await reading.get();
        const reply = await blockingRead(reader, waitMs, () =>
          reader.xreadgroup('GROUP', group, consumer, 'COUNT', count, 'BLOCK', waitMs, 'STREAMS', stream, '>'),
        );
        return toRead(reply);
      }, []),
    held: (consumer) =>
      withGroup(async () => {
        await reading.endOthers();
        return toEntries(await heldEntries(commands, { stream, group, consumer }));
      }, []),
    claim: (consumer, terms: ClaimTerms) =>
      withGroup<Claimed>(
        async () => {
          const reply = await claimEntries(commands, { stream, dead, group, consumer, ...terms });
          const [taken, buried, givenUp] = reply as unknown[];
          reportGivenUp(givenUp);
          return { entries: toEntries(taken), buried: toIds(buried) };
        },
        { entries: [], buried: [] },
      ),
    owned: (consumer) =>
      withGroup(async () => {
        const pending = await commands.xpending(stream, group, '-', '+', MOST_OWNED, consumer);
        return (pending as readonly [string][]).map(([id]) => id);
      }, []),
    renew: async (consumer, idleMs) => {
      await withGroup(() => renewEntries(commands, { stream, group, consumer, idleMs }), undefined);
    },
    settle: (consumer, ids) => leave('delete', consumer, ids),
    acknowledge: (consumer, ids) => leave('keep', consumer, ids),
    move: async (consumer, to, moves: readonly EntryMove[]) => {
      if (moves.length === 0) return [];
      const flat = moves.flatMap(({ id, attempt, error, delayMs }) => [id, attempt, error, delayMs ?? '']);
      return withGroup(
        async () => {
          const streams = { from: stream, to: streamKey(to, prefix), dead };
          const [lost, givenUp] = (await moveEntries(commands, {
            ...streams,
            group,
            consumer,
            moves: flat,
          })) as unknown[];
          reportGivenUp(givenUp);
          return toIds(lost);
        },
        moves.map(({ id }) => id),
      );
    },
    release: (consumer) =>
      withGroup(async () => {
        await reading.endOthers();
        return Number(await releaseEntries(commands, { stream, group, consumer }));
      }, 0),
    forgetConsumers: (idleMs) =>
      withGroup(async () => Number(await forgetConsumers(commands, { stream, group, idleMs })), 0),
    depth: () =>
      withGroup<StreamDepth>(
        async () => {
          const [length, [pending], oldest, nowMs] = await Promise.all([
            commands.xlen(stream),
            commands.xpending(stream, group) as Promise<[number]>,
            commands.xrange(stream, '-', '+', 'COUNT', 1),
            serverTimeMs(commands),
          ]);
          const first = oldest[0]?.[0];
          return { length, pending, oldestMs: first === undefined ? 0 : Math.max(0, nowMs - entryTimeMs(first)) };
        },
        { length: 0, pending: 0, oldestMs: 0 },
      ),
    now: () => withGroup(() => serverTimeMs(commands), 0),
    interrupt: () => reading.close(),
    close: () => {
      reading.close();
      giveBack();
    },
  };
}

async function serverTimeMs(redis: Redis): Promise<number> {
  const [seconds, microseconds] = await redis.time();
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

type RawEntry = readonly [id: string, deliveries: number, fields: readonly string[]];

const toIds = (reply: unknown): readonly string[] => reply as string[];

const toEntries = (reply: unknown): StreamEntry[] =>
  (reply as RawEntry[]).map(([id, deliveries, fields]) => ({ id, deliveries, fields: toFields(fields) }));

/** `XREADGROUP`: null, or one stream with its entries; an entry deleted since has null for its fields. */
const toRead = (reply: unknown): StreamEntry[] => {
  const streams = (reply ?? []) as readonly [string, readonly [string, readonly string[] | null][]][];
  return (streams[0]?.[1] ?? []).map(([id, fields]) => ({ id, deliveries: 1, fields: toFields(fields ?? []) }));
};

function toFields(flat: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let index = 0; index + 1 < flat.length; index += 2) fields[flat[index] ?? ''] = flat[index + 1] ?? '';
  return fields;
}

/** A reader that was blocked when the stream was deleted hears `UNBLOCKED`; `XINFO` knows no group without a key. */
const GROUP_IS_GONE = ['NOGROUP', 'UNBLOCKED', 'no such key'];

/** Redis 7 starts the message of an error inside a script with its code as well, older patch levels with `ERR`. */
const isRefusal = (error: unknown, code: string): boolean => error instanceof Error && error.message.includes(code);

const asUnavailable = (error: unknown): VelloError =>
  error instanceof VelloError
    ? error
    : new VelloError('REDIS_UNAVAILABLE', `Redis: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
