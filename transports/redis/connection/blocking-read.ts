/**
 * Guards one blocked read: it ends with its answer, or with its connection. Our own timer ends a block that the server has not answered
 * in time with the same null that means "nothing came". The answer may still be under way then, with entries in it that the server has
 * already given to this consumer, and nobody would hear it: so the connection ends with the read.
 */
import type { Redis } from 'ioredis';
import { VelloError } from '../../../config/errors.ts';
import { BLOCKING_GRACE_MS } from './connect.ts';

/**
 * Resolves to the answer of `read`, which blocks for up to `waitMs`.
 * @throws VelloError `REDIS_UNAVAILABLE` where the connection is down, broke on the way or did not answer, so that an answer may be lost.
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
  const isLate = performance.now() - startedMs >= waitMs + BLOCKING_GRACE_MS * 0.9;
  if (reply !== null || !isLate) return reply;
  redis.disconnect(true);
  throw lost('the answer is late');
}

/** Asked through a call: the compiler cannot know that the status changes while a read waits. */
const isReady = (redis: Redis): boolean => redis.status === 'ready';

const lost = (why: string) => new VelloError('REDIS_UNAVAILABLE', `Redis: ${why} while a read waited.`);
