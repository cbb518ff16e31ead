import t from 'tap';
import { createServer, type AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { connectPostgres } from '../../../../transports/postgres/connection/connect.ts';
import { problemReply, toVelloError } from '../../../../transports/http/server/problem.ts';
import { connectRedis } from '../../../../transports/redis/connection/connect.ts';
import { freePort } from '../../../fixtures/free-port.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';

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

t.test('a Redis that goes away in the middle of its answers is away, for all that waited', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const commands = bytes.toString().split(/(?=^\*)/m);
      if (!bytes.includes('get')) for (const _ of commands) socket.write('$9\r\nloading:0\r\n');
      else socket.end('$-1\r\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const log = createMemoryLog();
  const redis = await connectRedis({ url: `redis://127.0.0.1:${port}`, use: 'command', name: 'test', log });
  t.teardown(() => redis.disconnect());
  const [answered, ...failures] = await Promise.all(['a', 'b', 'c'].map((key) => failureOf(redis.get(key))));
  t.equal(answered, undefined, 'the first was answered');
  t.equal(failures.length, 2);
  for (const failure of failures)
    t.match(problemReply(toVelloError(failure), 'id', false), { status: 503 }, String(failure));
});

t.test('a fault of ours stays a 500, and says nothing of itself', async (t) => {
  const reply = problemReply(toVelloError(new TypeError('secret detail')), 'id', false);
  t.equal(reply.status, 500);
  t.notMatch(reply.body, /secret detail/);
});
