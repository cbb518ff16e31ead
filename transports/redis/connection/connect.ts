/**
 * Opens connections to Redis, one kind for each way of waiting, so that no caller inherits the waiting of another. Which commands are
 * sent is decided by the callers; when a connection is dead and must be dropped is decided here and in `event-stream.ts`.
 */
import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../../../actors/ports/log.ts';
import { VelloError } from '../../../config/errors.ts';

/**
 * - `command`: answers or fails within seconds, and fails at once while the connection is down. For everything a request waits for.
 * - `blocking`: one reader that blocks in `XREADGROUP` or `XREAD`. Fails at once while the connection is down. Never shared.
 * - `subscriber`: `SUBSCRIBE` only; subscribes again by itself after a reconnect.
 */
export type RedisUse = 'command' | 'blocking' | 'subscriber';

export interface RedisConnectOptions {
  readonly url: string;
  readonly use: RedisUse;
  /** Shown in `CLIENT LIST`, so that an operator sees who is connected: `vello-collector-transcribe`. */
  readonly name: string;
  readonly log: Log;
  /** How long to wait for the first connection (default 10 s). */
  readonly withinMs?: number;
}

/**
 * Returns a connection that is ready for commands and from then on reconnects by itself until `disconnect()` or `quit()`.
 * @throws VelloError `REDIS_UNAVAILABLE` where it does not become ready in time; nothing is left open then.
 */
export async function connectRedis(options: RedisConnectOptions): Promise<Redis> {
  const { url, use, name, withinMs = 10_000 } = options;
  const redis = new Redis(url, { ...COMMON, ...BY_USE[use], connectionName: name, lazyConnect: true });
  const lastError = reportOutages(redis, options.log.child({ connection: name }));
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready within ${withinMs} ms`)), withinMs);
    redis.once('ready', () => {
      clearTimeout(timer);
      resolve();
    });
    // A first attempt that fails is not the end: `retryStrategy` goes on until the deadline above.
    redis.connect().catch(() => undefined);
  });
  try {
    await ready;
  } catch (error) {
    redis.disconnect();
    const why = lastError()?.message ?? (error instanceof Error ? error.message : String(error));
    throw new VelloError('REDIS_UNAVAILABLE', `Redis does not answer (${why}).`, { cause: error });
  }
  return redis;
}

/** Milliseconds until attempt number `attempt` (from 1): doubling from 50 ms to 2 s, half of it random so that a fleet does not return as one. */
export function reconnectDelayMs(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(2000, 50 * 2 ** Math.min(attempt - 1, 10));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** How much later than its BLOCK a blocked read ends on our side when Redis does not answer. */
export const BLOCKING_GRACE_MS = 500;

const COMMON = {
  // Answers have one shape for every server that Vello may be given.
  protocol: 2,
  connectTimeout: 5000,
  keepAlive: 10_000,
  retryStrategy: (attempt: number) => reconnectDelayMs(attempt),
  // After a failover the old master answers READONLY: reconnecting finds the new one, and the refused command changed nothing.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 2 : false),
} satisfies RedisOptions;

/** Commands that wait when their connection breaks reject at once. They may have run: only their caller knows whether to send them again. */
const NEVER_SEND_AGAIN = { enableOfflineQueue: false, maxRetriesPerRequest: 0 } satisfies RedisOptions;

const BY_USE = {
  command: {
    ...NEVER_SEND_AGAIN,
    // What is sent in one turn of the event loop leaves in one write: the system call costs more than the command. The next batch
    // waits for the answers of the one before.
    enableAutoPipelining: true,
    // A socket that swallows commands is destroyed after this long without a byte. Before ioredis 6 the timer outlived its socket and
    // destroyed the next one: redis/ioredis#2147.
    socketTimeout: 5000,
  },
  blocking: {
    ...NEVER_SEND_AGAIN,
    // Ends a block whose answer never comes (BLOCK + the grace); the reader then tests the socket and drops it.
    blockingTimeout: 6000,
    blockingTimeoutGrace: BLOCKING_GRACE_MS,
    // For what does not block on the same connection. Longer than any block.
    socketTimeout: 8000,
  },
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: true },
} satisfies Readonly<Record<RedisUse, RedisOptions>>;

/** Logs each outage once and its end once; ioredis repeats the error at every attempt. Returns a reader of the last error. */
function reportOutages(redis: Redis, log: Log): () => Error | undefined {
  let last: Error | undefined;
  let down = false;
  redis.on('error', (error: Error) => {
    last = error;
    if (!down) log.warn('Redis connection failed', { error: error.message });
    down = true;
  });
  redis.on('ready', () => {
    if (down) log.info('Redis connection is back');
    down = false;
  });
  return () => last;
}
