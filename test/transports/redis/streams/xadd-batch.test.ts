import fc from 'fast-check';
import type { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { flattenUsageEvent, type UsageEvent } from '../../../../actors/events/usage-event.ts';
import { streamKey } from '../../../../config/streams.ts';
import { connectRedis } from '../../../../transports/redis/connection/connect.ts';
import { sendXadds } from '../../../../transports/redis/streams/xadd-batch.ts';
import { anyUsageEvent } from '../../../fixtures/any-usage-event.ts';
import { startRedis } from '../../../fixtures/redis.ts';
import { createMemoryLog } from '../../../fixtures/silent.ts';
import { usageEvent } from '../../../fixtures/usage-event.ts';

const [transcribe, process] = [streamKey('transcribe'), streamKey('process')];

async function setUp(t: Test) {
  const server = await startRedis(t);
  const redis = await connectRedis({ url: server.url, use: 'command', name: 'test', log: createMemoryLog() });
  t.teardown(() => redis.disconnect());
  /** How often it was answered, and what was refused. */
  const send = (events: readonly UsageEvent[]) => {
    const sent = { answers: 0, refused: Promise.resolve<readonly UsageEvent[]>([]) };
    sent.refused = new Promise((resolve) => {
      sendXadds(redis, events, (refused) => {
        sent.answers += 1;
        resolve(refused);
      });
    });
    return sent;
  };
  return { server, redis, send };
}

/** Again, after the connection that there is now. */
const becomesReady = (redis: Redis) => new Promise((resolve) => redis.once('ready', resolve));

const many = (count: number, type: UsageEvent['type'] = 'transcribe') =>
  Array.from({ length: count }, () => usageEvent({ type }));

t.test('whatever events say, their entries say the same, in their order', async (t) => {
  const { redis, send } = await setUp(t);
  await fc.assert(
    fc.asyncProperty(fc.array(anyUsageEvent, { minLength: 1, maxLength: 40 }), async (events) => {
      await redis.del(transcribe, process);
      t.strictSame(await send(events).refused, []);
      for (const type of ['transcribe', 'process'] as const) {
        const entries = (await redis.xrange(streamKey(type), '-', '+')).map(([, fields]) => fields);
        t.strictSame(entries, events.filter((event) => event.type === type).map(flattenUsageEvent));
      }
    }),
    { numRuns: 100 },
  );
  const long = usageEvent({ result: 'wörtlich 🎤\r\n$3\r\n'.repeat(100_000) });
  await redis.del(transcribe);
  t.strictSame(await send([long, usageEvent()]).refused, []);
  const [first, ...others] = await redis.xrange(transcribe, '-', '+');
  t.ok(first?.[1].includes(long.result ?? '-'));
  t.equal(others.length, 1);
});

t.test('what Redis refuses is told from what it takes', async (t) => {
  const { redis, send } = await setUp(t);
  await redis.set(process, 'no stream');
  const [taken, refused] = [many(3), many(2, 'process')];
  const mixed = [taken[0], refused[0], taken[1], refused[1], taken[2]].filter((event) => event !== undefined);
  const sent = send(mixed);
  t.strictSame(await sent.refused, refused);
  t.equal(await redis.xlen(transcribe), 3);
  t.equal(sent.answers, 1);
});

t.test('other commands on the connection get their own answers, before and after', async (t) => {
  const { redis, send } = await setUp(t);
  const answers = [];
  for (let round = 0; round < 50; round += 1) {
    const before = redis.incr('count');
    const sent = send(many(1 + (round % 7)));
    const later = redis.echo(`after ${round}`);
    answers.push(await Promise.all([before, sent.refused, later]));
  }
  t.strictSame(
    answers,
    answers.map((_, round) => [round + 1, [], `after ${round}`]),
  );
});

t.test(
  'a server that takes no writes any more takes none of them, once, and the next connection is in order',
  async (t) => {
    const { redis, send } = await setUp(t);
    await redis.replicaof('127.0.0.1', 1);
    const events = many(5);
    const ready = becomesReady(redis);
    const sent = send(events);
    t.strictSame(await sent.refused, events);
    await ready;
    await redis.call('REPLICAOF', 'NO', 'ONE');
    t.equal(await redis.echo('in order'), 'in order');
    t.strictSame(await send(many(2)).refused, []);
    t.equal(await redis.xlen(transcribe), 2);
    t.equal(sent.answers, 1);
  },
);

t.test('where the connection breaks, none of them is known to be taken, and none is sent again unasked', async (t) => {
  const { server, redis, send } = await setUp(t);
  server.freeze();
  const events = many(5);
  const sent = send(events);
  await server.kill();
  t.strictSame(await sent.refused, events);
  t.strictSame(await send(events).refused, events, 'nor while there is no connection');
  const ready = becomesReady(redis);
  await server.restart();
  await ready;
  t.equal(await redis.xlen(transcribe), 0);
  t.equal(sent.answers, 1);
});
