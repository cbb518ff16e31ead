import t from 'tap';
import { Redis } from 'ioredis';
import { connectPostgres } from '../../../transports/postgres/connect.ts';
import { problemReply, toVelloError } from '../../../transports/http/problem.ts';
import { freePort } from '../../fixtures/free-port.ts';

const failureOf = (work: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(work).then(
    () => undefined,
    (error: unknown) => error,
  );

t.test('a store that is away is answered with 503 and a time to come back, whatever its client calls it', async (t) => {
  const port = await freePort();
  const sql = connectPostgres(`postgres://x@127.0.0.1:${port}/x`, { max: 1, name: 'test', connectTimeoutMs: 1000 });
  const redis = new Redis(port, '127.0.0.1', { enableOfflineQueue: false, maxRetriesPerRequest: 0, lazyConnect: true });
  redis.on('error', () => undefined);
  t.teardown(() => redis.disconnect());
  const ended = connectPostgres(`postgres://x@127.0.0.1:${port}/x`, { max: 1, name: 'test' });
  await ended.end();
  const failures = [await failureOf(sql`select 1`), await failureOf(redis.get('x')), await failureOf(ended`select 1`)];
  for (const failure of failures) {
    const reply = problemReply(toVelloError(failure), 'id', false);
    t.match(reply, { status: 503, headers: { 'Retry-After': '1' } }, String(failure));
    t.notMatch(reply.body, String(port), 'no address of ours leaves');
  }
});

t.test('a fault of ours stays a 500, and says nothing of itself', async (t) => {
  const reply = problemReply(toVelloError(new TypeError('secret detail')), 'id', false);
  t.equal(reply.status, 500);
  t.notMatch(reply.body, /secret detail/);
});
