/**
 * Follows the grants in Redis: the whole stream first, then what is added, over a connection of its own that is replaced
 * whenever it falls silent. What a grant opens is decided by the follower.
 */
import type { Redis } from 'ioredis';
import type { GrantFollower, GrantSource } from '../../../actors/ports/grants.ts';
import type { Log } from '../../../actors/ports/log.ts';
import { LIMITS } from '../../../config/limits.ts';
import { decodeGrant, decodeGrantOperation, GRANT_KEYS } from './grant-entry.ts';
import { loadLuaScript } from '../connection/lua-script.ts';

const findGrant = loadLuaScript(import.meta.url, './grant-find.lua', 'token suspended limited');

export interface GrantSourceOptions {
  /** A `command` connection, for the questions of `find`. */
  readonly redis: Redis;
  /** Opens a `blocking` connection; called again whenever the last one had to be dropped. */
  readonly openReader: () => Promise<Redis>;
  readonly log: Log;
}

export function createGrantSource({ redis, openReader, log }: GrantSourceOptions): GrantSource {
  return {
    follow: async (follower, signal) => {
      let cursor = '0-0';
      while (!signal.aborted) {
        let reader: Redis | undefined;
        const stop = () => reader?.disconnect();
        signal.addEventListener('abort', stop);
        try {
          reader = await openReader();
          cursor = await readHistory(reader, follower, cursor);
          follower.caughtUp();
          await readNews(reader, follower, cursor, signal, (reached) => (cursor = reached));
        } catch (error) {
          if (isAborted(signal)) break;
          const failure = error instanceof Error ? error : new Error(String(error));
          log.warn('the grants cannot be followed', { error: failure.message });
          follower.lost(failure);
          await pause(signal);
        } finally {
          signal.removeEventListener('abort', stop);
          reader?.disconnect();
        }
      }
    },
    find: async (tokenHash) => {
      const { suspended: ofUsers, limited } = GRANT_KEYS;
      const answer = await findGrant(redis, { token: GRANT_KEYS.token(tokenHash), suspended: ofUsers, limited });
      if (!Array.isArray(answer)) return undefined;
      const [value, suspended, atOnce] = answer as [string, string, string];
      return decodeGrant(tokenHash, value, { suspended, at_once: atOnce });
    },
  };
}

/** Read through a call: the compiler cannot know that the signal changes while a read is awaited. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** A failed attempt already took seconds where the server is away; this only keeps one that fails at once from spinning. */
const RETRY_DELAY_MS = 250;

type Entry = readonly [id: string, fields: readonly string[]];

/** Applies all entries behind `cursor` and returns the last one's id. */
async function readHistory(reader: Redis, follower: GrantFollower, cursor: string): Promise<string> {
  const newest = (await reader.xrevrange(GRANT_KEYS.stream, '+', '-', 'COUNT', 1))[0]?.[0];
  // The server lost its data, or an older copy took over: everything it has is applied again, on top of what is known.
  let reached = newest !== undefined && isBefore(newest, cursor) ? '0-0' : cursor;
  for (;;) {
    const { readBatch } = LIMITS.grants;
    const entries = await reader.xrange(GRANT_KEYS.stream, `(${reached}`, '+', 'COUNT', readBatch);
    applyAll(entries, follower);
    reached = entries.at(-1)?.[0] ?? reached;
    if (entries.length < readBatch) return reached;
  }
}

/** Returns only by throwing, or when `signal` aborts: a reader that reconnected must compare histories first. */
async function readNews(
  reader: Redis,
  follower: GrantFollower,
  from: string,
  signal: AbortSignal,
  onReached: (id: string) => void,
): Promise<void> {
  let cursor = from;
  const connection = { broken: false };
  reader.once('close', () => (connection.broken = true));
  const { readBatch, readBlockMs } = LIMITS.grants;
  while (!signal.aborted) {
    const reply = await reader.xread('COUNT', readBatch, 'BLOCK', readBlockMs, 'STREAMS', GRANT_KEYS.stream, cursor);
    const entries = reply?.[0]?.[1] ?? [];
    applyAll(entries, follower);
    cursor = entries.at(-1)?.[0] ?? cursor;
    onReached(cursor);
    if (connection.broken) throw new Error('The connection was lost.');
    // No news looks the same as a socket that went silent; only an answer tells them apart.
    if (entries.length === 0) await answersWithin(reader, 1_000);
  }
}

function applyAll(entries: readonly Entry[], follower: GrantFollower): void {
  for (const [, fields] of entries) {
    const operation = decodeGrantOperation(fields);
    if (operation !== undefined) follower.apply(operation);
  }
}

async function answersWithin(reader: Redis, withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis fell silent.')), withinMs);
  });
  try {
    await Promise.race([reader.ping(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Compares stream ids, `<ms>-<sequence>`. */
function isBefore(left: string, right: string): boolean {
  const [leftMs, leftSequence] = left.split('-').map(Number);
  const [rightMs, rightSequence] = right.split('-').map(Number);
  if (leftMs !== rightMs) return (leftMs ?? 0) < (rightMs ?? 0);
  return (leftSequence ?? 0) < (rightSequence ?? 0);
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, RETRY_DELAY_MS);
    signal.addEventListener('abort', done);
  });
}
