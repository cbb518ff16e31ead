import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { Clock } from '../../../../actors/ports/clock.ts';
import type { Grant, GrantOperation } from '../../../../actors/ports/grants.ts';
import { createGrantPublisher } from '../../../../transports/redis/grants/grant-publisher.ts';
import { createGrantSource } from '../../../../transports/redis/grants/grant-source.ts';
import { connectRedis } from '../../../../transports/redis/connection/connect.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';

const log = createMemoryLog();
const clock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, fire) => {
    const timer = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

const grant = (name: string, ids: Partial<Grant> = {}): Grant => ({
  tokenHash: `hash-${name}`,
  userId: 'user-1',
  deviceId: 'device-1',
  familyId: 'family-1',
  expiresAtMs: Date.now() + 900_000,
  ...ids,
});

async function setUp(t: Test) {
  const server = await startRedis(t, { fsync: 'always' });
  const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log });
  t.teardown(() => redis.disconnect());
  const source = createGrantSource({
    redis,
    openReader: () => connectRedis({ url: server.url, use: 'blocking', name: 'test-reader', log, withinMs: 2_000 }),
    log,
  });
  const follow = () => {
    const applied: GrantOperation[] = [];
    const stopped = new AbortController();
    let caughtUp = 0;
    let changed = () => {};
    const done = source.follow(
      {
        apply: (operation) => {
          applied.push(operation);
          changed();
        },
        caughtUp: () => {
          caughtUp += 1;
          changed();
        },
        lost: () => undefined,
      },
      stopped.signal,
    );
    const until = async (reached: () => boolean) => {
      while (!reached()) await new Promise<void>((resolve) => (changed = resolve));
    };
    t.teardown(async () => {
      stopped.abort();
      await done;
    });
    return { applied, caughtUp: () => caughtUp, until, stop: () => stopped.abort(), done };
  };
  return { server, redis, source, publisher: createGrantPublisher(redis, clock), follow };
}

t.test('a token is found from its issue to its revocation, and its key lives no longer than the token', async (t) => {
  const { redis, source, publisher } = await setUp(t);
  t.equal(await source.find('hash-a'), undefined);
  await publisher.issue(grant('a'));
  t.match(await source.find('hash-a'), { ...grant('a'), expiresAtMs: Number, suspended: false });
  const lifeMs = await redis.pttl('vello:grant:hash-a');
  t.ok(lifeMs > 880_000 && lifeMs <= 900_000, `lives ${lifeMs} ms`);
  await publisher.revoke({ familyId: 'family-1' });
  t.equal(await source.find('hash-a'), undefined);
});

t.test('revocation by device and by user reaches every token of theirs and no other', async (t) => {
  const { source, publisher } = await setUp(t);
  await publisher.issue(grant('a'));
  await publisher.issue(grant('b', { familyId: 'family-2' }));
  await publisher.issue(grant('c', { familyId: 'family-3', deviceId: 'device-2' }));
  await publisher.revoke({ deviceId: 'device-1' });
  t.equal(await source.find('hash-a'), undefined);
  t.equal(await source.find('hash-b'), undefined);
  t.ok(await source.find('hash-c'));
  await publisher.revoke({ userId: 'user-1' });
  t.equal(await source.find('hash-c'), undefined);
});

t.test('a suspension holds for tokens issued before and after it, until the user is reinstated', async (t) => {
  const { source, publisher, follow } = await setUp(t);
  await publisher.issue(grant('a'));
  await publisher.suspend('user-1');
  await publisher.issue(grant('b'));
  t.match(await source.find('hash-a'), { suspended: true });
  t.match(await source.find('hash-b'), { suspended: true });
  const follower = follow();
  await follower.until(() => follower.caughtUp() === 1);
  t.match(follower.applied, [
    { op: 'issue', grant: { tokenHash: 'hash-a', suspended: false } },
    { op: 'suspend', userId: 'user-1' },
    { op: 'issue', grant: { tokenHash: 'hash-b', suspended: true } },
  ]);
  await publisher.reinstate('user-1');
  t.match(await source.find('hash-a'), { suspended: false });
  await publisher.issue(grant('c'));
  await follower.until(() => follower.applied.length === 5);
  t.match(follower.applied[4], { op: 'issue', grant: { tokenHash: 'hash-c', suspended: false } });
});

t.test("what a user's balance allows at once reaches followers and those who ask, once for each change", async (t) => {
  const { source, publisher, follow } = await setUp(t);
  await publisher.issue(grant('a'));
  await publisher.limit('user-1', 4);
  await publisher.limit('user-1', 4);
  await publisher.issue(grant('b'));
  t.match(await source.find('hash-a'), { requestsAtOnce: 4 });
  await publisher.limit('user-1', undefined);
  await publisher.issue(grant('c'));
  t.equal((await source.find('hash-a'))?.requestsAtOnce, undefined);
  const follower = follow();
  await follower.until(() => follower.caughtUp() === 1);
  t.match(follower.applied, [
    { op: 'issue', grant: { tokenHash: 'hash-a', requestsAtOnce: undefined } },
    { op: 'limit', userId: 'user-1', requestsAtOnce: 4 },
    { op: 'issue', grant: { tokenHash: 'hash-b', requestsAtOnce: 4 } },
    { op: 'limit', userId: 'user-1', requestsAtOnce: undefined },
    { op: 'issue', grant: { tokenHash: 'hash-c', requestsAtOnce: undefined } },
  ]);
});

t.test('a token that has already expired is not published', async (t) => {
  const { redis, publisher } = await setUp(t);
  await publisher.issue(grant('late', { expiresAtMs: Date.now() - 1 }));
  t.equal(await redis.exists('vello:grants', 'vello:grant:hash-late'), 0);
});

t.test('a follower gets the history first and then each revocation within a second', async (t) => {
  const { publisher, follow } = await setUp(t);
  await publisher.issue(grant('a'));
  const follower = follow();
  await follower.until(() => follower.caughtUp() === 1);
  t.match(follower.applied, [{ op: 'issue', grant: { tokenHash: 'hash-a' } }]);
  const before = performance.now();
  await publisher.revoke({ deviceId: 'device-1' });
  await follower.until(() => follower.applied.length === 2);
  t.match(follower.applied[1], { op: 'revoke', scope: { deviceId: 'device-1' } });
  t.ok(performance.now() - before < 1_000);
});

t.test('a follower survives the loss of Redis and of all its data, and ends when it is told to', async (t) => {
  const { server, publisher, follow, redis } = await setUp(t);
  await publisher.issue(grant('a'));
  const follower = follow();
  await follower.until(() => follower.caughtUp() === 1);
  await redis.flushall();
  await server.kill();
  await server.restart();
  if (redis.status !== 'ready') await once(redis, 'ready');
  await publisher.issue(grant('b'));
  await follower.until(() =>
    follower.applied.some((operation) => operation.op === 'issue' && operation.grant.tokenHash === 'hash-b'),
  );
  follower.stop();
  await follower.done;
  t.pass('it stopped');
});

t.test('a follower whose connection is cut opens another and misses nothing', async (t) => {
  const { publisher, follow, redis } = await setUp(t);
  const follower = follow();
  await follower.until(() => follower.caughtUp() === 1);
  const clients = String(await redis.client('LIST')).split('\n');
  const reader = clients.find((line) => line.includes('name=test-reader '));
  await redis.client('KILL', 'ID', /id=(\d+)/.exec(reader ?? '')?.[1] ?? '');
  await publisher.issue(grant('a'));
  await follower.until(() => follower.applied.length > 0);
  t.match(follower.applied, [{ op: 'issue', grant: { tokenHash: 'hash-a' } }]);
});

t.test('old operations are trimmed when new ones arrive', async (t) => {
  const { redis, publisher } = await setUp(t);
  const hourAgo = Date.now() - 3_700_000;
  const pipeline = redis.pipeline();
  for (let n = 0; n < 500; n += 1)
    pipeline.xadd('vello:grants', `${hourAgo}-${n + 1}`, 'op', 'suspend', 'user_id', 'x');
  await pipeline.exec();
  await publisher.issue(grant('a'));
  t.ok((await redis.xlen('vello:grants')) <= 101, 'all but an incomplete node of the stream is gone');
});

t.test('a device that refreshes for weeks leaves no trail of its former tokens', async (t) => {
  const { redis, publisher } = await setUp(t);
  await redis.zadd('vello:grants:device_id:device-1', Date.now() - 5, 'hash-old');
  await publisher.issue(grant('new'));
  t.same(await redis.zrange('vello:grants:device_id:device-1', '0', '-1'), ['hash-new']);
  t.ok((await redis.pttl('vello:grants:device_id:device-1')) > 0);
});
