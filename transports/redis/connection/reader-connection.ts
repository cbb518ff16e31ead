/**
 * The connection of one blocking reader, and the end of those before it. The server may learn late, or never, that a reader has gone:
 * until then its blocked read goes on there, and what arrives is taken in the consumer's name by a socket that nobody listens to. So
 * every reader is known by its client id, and is ended on the server before anybody asks what the consumer holds.
 */
import type { Redis } from 'ioredis';
import { VelloError } from '../../../config/errors.ts';

/** Client ids of the readers of this process, by name, that may still be blocked in the server. */
export type KnownReaders = Map<string, Set<number>>;

export const createKnownReaders = (): KnownReaders => new Map();

export interface ReaderConnection {
  /** A connection that is up: the present one, or a new one in place of a broken one. @throws VelloError `REDIS_UNAVAILABLE`, also once it was closed */
  get(): Promise<Redis>;
  /** Ends all readers of the stream but the present one, if it is up, on the server. Nothing is taken in their name from then on. */
  endOthers(): Promise<void>;
  /** For good. */
  close(): void;
}

export interface ReaderConnectionOptions {
  /** `CLIENT SETNAME` of the stream's readers. */
  readonly name: string;
  /** Another connection to the same server. */
  readonly commands: Redis;
  readonly readers: KnownReaders;
  readonly connect: () => Promise<Redis>;
}

export function createReaderConnection(options: ReaderConnectionOptions): ReaderConnection {
  const { name, commands, readers, connect } = options;
  const known = readers.get(name) ?? new Set<number>();
  readers.set(name, known);
  const state: { current: { readonly redis: Redis; readonly id: number } | undefined; isClosed: boolean } = {
    current: undefined,
    isClosed: false,
  };
  const drop = () => {
    state.current?.redis.disconnect();
    state.current = undefined;
  };
  const closed = () => new VelloError('REDIS_UNAVAILABLE', 'This reader has ended.');

  return {
    get: async () => {
      if (state.isClosed) throw closed();
      if (state.current?.redis.status === 'ready') return state.current.redis;
      drop();
      const redis = await connect();
      // The client would reconnect by itself, under an id that nobody knows.
      redis.once('close', () => redis.disconnect());
      const id = await idOf(redis);
      known.add(id);
      // It may have been closed while the connection was being made.
      if (isClosed(state)) {
        redis.disconnect();
        throw closed();
      }
      state.current = { redis, id };
      return redis;
    },
    endOthers: async () => {
      if (state.current?.redis.status !== 'ready') drop();
      const present = state.current?.id;
      for (const id of [...known]) {
        if (id === present) continue;
        if (await isReader(commands, id, name)) await commands.client('KILL', 'ID', id);
        known.delete(id);
      }
    },
    close: () => {
      state.isClosed = true;
      drop();
    },
  };
}

/** A connection that does not tell its id is of no use, and is closed. */
async function idOf(redis: Redis): Promise<number> {
  try {
    return await redis.client('ID');
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** Read through a call: the compiler cannot know that the flag changes while a connection is made. */
const isClosed = (state: { readonly isClosed: boolean }): boolean => state.isClosed;

/**
 * Whether the id is still that of a reader of this stream. A restarted server counts its clients anew: a stranger must not be ended,
 * and ending another process's reader, which shares the name, costs it a reconnection and nothing else.
 */
async function isReader(commands: Redis, id: number, name: string): Promise<boolean> {
  const line = String(await commands.call('CLIENT', 'LIST', 'ID', String(id)));
  return line.includes(` name=${name} `);
}
