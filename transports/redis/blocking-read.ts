/** Guards one blocked read: it ends when its answer comes, when its connection breaks, or when the socket turns out to be dead. */
import type { Redis } from 'ioredis';
import { VelloError } from '../../config/errors.ts';
import { BLOCKING_GRACE_MS } from './connect.ts';

/** A socket that answers no PING for this long is dead. */
const PING_WITHIN_MS = 1000;

/**
 * Resolves to the answer of `read`, which blocks for up to `waitMs`.
 * @throws VelloError `REDIS_UNAVAILABLE` where the connection is down or broke on the way, so that an answer may have been lost.
 */
export async function blockingRead<T>(redis: Redis, waitMs: number, read: () => Promise<T>): Promise<T> {
  if (!isReady(redis)) throw lost('the connection is down');
  const startedMs = performance.now();
  let reply: T;
  try {
    reply = await read();
  } catch (error) {
    throw isReady(redis) ? error : lost('the connection broke');
  }
  // Our own timer ends a block on a dead socket with the same null that means "nothing came", only later.
  const late = performance.now() - startedMs >= waitMs + BLOCKING_GRACE_MS * 0.9;
  if (reply === null && late) await proveAlive(redis);
  return reply;
}

async function proveAlive(redis: Redis): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<'dead'>((resolve) => {
    timer = setTimeout(() => resolve('dead'), PING_WITHIN_MS);
  });
  const pong = redis.ping().then(
    () => 'alive' as const,
    () => 'dead' as const,
  );
  const verdict = await Promise.race([pong, deadline]);
  clearTimeout(timer);
  if (verdict === 'alive') return;
  redis.disconnect(true);
  throw lost('the socket is dead');
}

/** Asked through a call: the compiler cannot know that the status changes while a read waits. */
const isReady = (redis: Redis): boolean => redis.status === 'ready';

const lost = (why: string) => new VelloError('REDIS_UNAVAILABLE', `Redis: ${why} while a read waited.`);
