/** How soon a collector goes on: after another was killed, and after what had paused it is repaired. Processes of their own, real stores. */
import t from 'tap';
import { insertAccount } from '../fixtures/account.ts';
import { forkCollector } from '../fixtures/collector-process.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { startJobsServer } from '../fixtures/jobs-server.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startRedis } from '../fixtures/redis.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

t.setTimeout(180_000);

/** What a machine that has other things to do may take beside. */
const BUSY_MS = 1500;
/** Long enough for the backoff to be at its longest. */
const PAUSE_MS = 12_000;
/** As the product has it. */
const LEASE_MS = 10_000;

const database = await createMigratedDatabase(t);
const { admin } = database;
const redis = await startRedis(t, { fsync: 'always' });
const api = await startJobsServer(t, database, redis);
const streams = await openTestStreams(t, redis);
const connections = { redisUrl: redis.url, apiUrl: api.url, keyFolder: api.keyFolder };

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const areSettled = async (ids: readonly string[]) =>
  (await admin`select from jobs where event_id in ${admin([...ids])}`).length === ids.length;

async function addEvents(count: number): Promise<string[]> {
  const account = await insertAccount(admin, { balance: 100_000 });
  const events = Array.from({ length: count }, () => usageEventFields(account));
  for (const event of events) await streams.add('transcribe', event);
  return events.map(({ event_id }) => event_id);
}

t.test('what a killed collector had in its hands is settled within its lease and a second', async (t) => {
  const ids = await addEvents(5);
  const killed = forkCollector(t, { ...connections, leaseMs: LEASE_MS, poison: ids[2] ?? '' });
  await killed.ended;
  const killedMs = performance.now();
  const next = forkCollector(t, { ...connections, leaseMs: LEASE_MS });
  await eventually(() => areSettled(ids));
  const tookMs = performance.now() - killedMs;
  t.comment(`settled ${Math.round(tookMs)} ms after the kill, with a lease of ${LEASE_MS} ms`);
  t.ok(tookMs < LEASE_MS + 1000 + BUSY_MS);
  next.kill('SIGTERM');
  await next.ended;
});

t.test('a line that a refused key paused resumes within five seconds of its repair', async (t) => {
  const collector = forkCollector(t, { ...connections, leaseMs: LEASE_MS });
  await admin`update service_accounts set disabled_at = now()`;
  await pause(1100);
  const ids = await addEvents(3);
  await pause(PAUSE_MS);
  t.notOk(await areSettled(ids.slice(0, 1)));
  await admin`update service_accounts set disabled_at = null`;
  const repairedMs = performance.now();
  await eventually(() => areSettled(ids));
  const tookMs = performance.now() - repairedMs;
  t.comment(`settled ${Math.round(tookMs)} ms after the repair`);
  t.ok(tookMs < 5000 + BUSY_MS);
  collector.kill('SIGTERM');
  await collector.ended;
});

t.test('a line that lost its Redis resumes within five seconds of its return', async (t) => {
  const collector = forkCollector(t, { ...connections, leaseMs: LEASE_MS });
  const first = await addEvents(1);
  await eventually(() => areSettled(first));
  await redis.kill();
  await pause(PAUSE_MS);
  await redis.restart();
  const backMs = performance.now();
  let ids: string[] = [];
  await eventually(async () => {
    ids = await addEvents(1);
    return true;
  });
  await eventually(() => areSettled(ids));
  const tookMs = performance.now() - backMs;
  t.comment(`settled ${Math.round(tookMs)} ms after Redis was back`);
  t.ok(tookMs < 5000 + BUSY_MS);
  collector.kill('SIGTERM');
  await collector.ended;
});
