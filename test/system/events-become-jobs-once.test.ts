/** Events on real streams, real processes to kill, a real database to count in: each event is one job and one charge. */
import t from 'tap';
import { COLLECTOR_GROUP, streamKey } from '../../config/streams.ts';
import { insertAccount } from '../fixtures/account.ts';
import { startCollector } from '../fixtures/collector.ts';
import { forkCollector } from '../fixtures/collector-process.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { startJobsServer } from '../fixtures/jobs-server.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startRedis } from '../fixtures/redis.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

const database = await createMigratedDatabase(t);
const { admin } = database;
const redis = await startRedis(t, { fsync: 'always' });
const api = await startJobsServer(t, database, redis);
const streams = await openTestStreams(t, redis);
const connections = { redisUrl: redis.url, apiUrl: api.url };
/** An hour's worth for everybody: 9 s cost 50. */
const RICH = { balance: 100_000 };

async function accountOf(userId: string) {
  const [row] = await admin<{ jobs: number; charges: number; balance: number; ledger: number }[]>`select
    (select count(*)::int from jobs where user_id = ${userId}) as jobs,
    (select count(*)::int from credit_transactions where user_id = ${userId} and kind = 'charge') as charges,
    (select balance::int from users_credits where user_id = ${userId}) as balance,
    (select sum(delta)::int from credit_transactions where user_id = ${userId}) as ledger`;
  return row;
}
const jobsOf = async (userId: string) => (await accountOf(userId))?.jobs ?? 0;
const isDrained = async () => {
  const lengths = await Promise.all(
    ['transcribe', 'process', 'dlq'].map((kind) => streams.redis.xlen(streamKey(kind as 'dlq'))),
  );
  return lengths.every((length) => length === 0);
};

t.test(
  'each event is one job and one charge, however often it is on the stream, and is acknowledged after its commit',
  async (t) => {
    const collector = startCollector(t, { ...connections, key: api.key });
    const account = await insertAccount(admin, RICH);
    const event = usageEventFields({ ...account, audioSeconds: 9 });
    for (let copy = 0; copy < 3; copy += 1) await streams.add('transcribe', event);
    await streams.add('process', usageEventFields({ ...account, type: 'process', usage: { prompt_tokens: 5000 } }));
    await eventually(isDrained);
    t.same(await accountOf(account.userId), { jobs: 2, charges: 2, balance: 99_945, ledger: 99_945 });
    t.equal(await streams.length('dead'), 0);
    t.same(collector.unready(), []);
    await collector.stop();
  },
);

t.test('a collector killed in the middle of its work loses no event and bills none twice', async (t) => {
  const account = await insertAccount(admin, RICH);
  const events = Array.from({ length: 600 }, () => usageEventFields({ ...account, audioSeconds: 9 }));
  const first = forkCollector(t, { ...connections, keyFolder: api.keyFolder, leaseMs: 400 });
  await streams.redis
    .pipeline(events.map((e) => ['xadd', streamKey('transcribe'), '*', ...Object.entries(e).flat()]))
    .exec();
  await eventually(async () => (await jobsOf(account.userId)) >= 100);
  first.kill('SIGKILL');
  await first.ended;
  const pending = (await streams.redis.xpending(streamKey('transcribe'), COLLECTOR_GROUP)) as [number];
  t.comment(`killed with ${await jobsOf(account.userId)} jobs made and ${pending[0]} entries in its hands`);

  const second = startCollector(t, { ...connections, key: api.key, leaseMs: 400 });
  await eventually(isDrained);
  t.same(await accountOf(account.userId), { jobs: 600, charges: 600, balance: 70_000, ledger: 70_000 });
  t.equal(await streams.length('dead'), 0);
  await second.stop();
});

t.test(
  'an event that kills whoever runs it is buried after three deliveries, and its neighbours are settled',
  async (t) => {
    const account = await insertAccount(admin, RICH);
    const events = Array.from({ length: 5 }, () => usageEventFields({ ...account, audioSeconds: 9 }));
    const poison = events[2]?.event_id ?? '';
    for (const event of events) await streams.add('transcribe', event);
    const options = { ...connections, keyFolder: api.keyFolder, leaseMs: 150, poison };
    for (let delivery = 1; delivery <= 3; delivery += 1) await forkCollector(t, options).ended;
    t.equal(await streams.length('dead'), 0);
    const survivor = forkCollector(t, options);
    await eventually(async () => (await isDrained()) && (await streams.length('dead')) === 1);
    t.match(await streams.entries('dead'), [{ event_id: poison, error: 'CRASH_LOOP' }]);
    t.equal(await jobsOf(account.userId), 4);
    await eventually(async () => (await admin`select from dead_letters where event_id = ${poison}`).length === 1);
    survivor.kill('SIGTERM');
    await survivor.ended;
    await streams.redis.del(streamKey('dead'));
  },
);

t.test('Redis dies and comes back in the middle of the work, and every event is settled once', async (t) => {
  const collector = startCollector(t, { ...connections, key: api.key });
  const account = await insertAccount(admin, RICH);
  const events = Array.from({ length: 300 }, () => usageEventFields({ ...account, audioSeconds: 9 }));
  await streams.redis
    .pipeline(events.map((e) => ['xadd', streamKey('transcribe'), '*', ...Object.entries(e).flat()]))
    .exec();
  await eventually(async () => (await jobsOf(account.userId)) >= 50);
  await redis.kill();
  await eventually(() => collector.unready().length > 0);
  t.pass('not ready while Redis is gone');
  await redis.restart();
  await eventually(isDrained);
  t.same(await accountOf(account.userId), { jobs: 300, charges: 300, balance: 85_000, ledger: 85_000 });
  await eventually(() => collector.unready().length === 0);
  await collector.stop();
});

t.test('after FLUSHALL the groups come back by themselves, and the next event is a job', async (t) => {
  const collector = startCollector(t, { ...connections, key: api.key });
  await eventually(() => collector.unready().length === 0);
  await streams.redis.flushall();
  const account = await insertAccount(admin, RICH);
  await streams.add('transcribe', usageEventFields({ ...account, audioSeconds: 9 }));
  await eventually(async () => (await jobsOf(account.userId)) === 1);
  await eventually(isDrained);
  await collector.stop();
});
