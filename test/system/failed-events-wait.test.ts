/** An api that is away, a key that is refused, events that are wrong: what the collector does with each, on real stores. */
import t from 'tap';
import { insertAccount } from '../fixtures/account.ts';
import { startCollector } from '../fixtures/collector.ts';
import { eventually, openTestStreams } from '../fixtures/event-streams-on-redis.ts';
import { startJobsServer } from '../fixtures/jobs-server.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startRedis } from '../fixtures/redis.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

const database = await createMigratedDatabase(t);
const { admin } = database;
const redis = await startRedis(t);
const api = await startJobsServer(t, database, redis);
const streams = await openTestStreams(t, redis);
const collectorOptions = { redisUrl: redis.url, apiUrl: api.url, key: api.key };
const isSettled = async (eventId: string) => (await admin`select from jobs where event_id = ${eventId}`).length === 1;

t.afterEach(() => streams.redis.del('modelsgateway:events:dead'));

t.test('while the api is away an event waits in the dlq, and is settled on the retry after it came back', async (t) => {
  const account = await insertAccount(admin);
  const event = usageEventFields({ ...account, audioSeconds: 9 });
  await api.down();
  const collector = startCollector(t, { ...collectorOptions, scheduleMs: [1, 1, 3000] });
  const id = await streams.add('transcribe', event);
  await eventually(async () => (await streams.entries('dlq'))[0]?.['attempt'] === '3');
  const [waiting] = await streams.entries('dlq');
  t.match(waiting, { event_id: event.event_id, error: 'API_UNREACHABLE', origin_id: id });
  t.match(waiting?.['not_before'], /^\d{13}$/);
  t.equal(await streams.length('transcribe'), 0);
  await api.up();
  await eventually(() => isSettled(event.event_id));
  await eventually(async () => (await streams.length('dlq')) === 0);
  t.equal(await streams.length('dead'), 0);
  await collector.stop();
});

t.test('when all retries failed the event is dead, and recorded with every attempt once the api is back', async (t) => {
  const account = await insertAccount(admin);
  const event = usageEventFields(account);
  await api.down();
  const collector = startCollector(t, { ...collectorOptions, scheduleMs: [10, 20, 30] });
  const id = await streams.add('process', event);
  await eventually(async () => (await streams.length('dead')) === 1);
  t.same([await streams.length('process'), await streams.length('dlq')], [0, 0]);
  await collector.stop();
  await api.up();
  const next = startCollector(t, collectorOptions);
  await eventually(async () => (await admin`select from dead_letters where event_id = ${event.event_id}`).length === 1);
  const [letter] = await admin`select stream, entry_id, user_id, error_code, attempts, fields from dead_letters
    where event_id = ${event.event_id}`;
  t.match(letter, {
    stream: 'modelsgateway:events:process',
    entry_id: id,
    user_id: account.userId,
    error_code: 'API_UNREACHABLE',
    fields: event,
  });
  t.same(
    (letter?.['attempts'] as { attempt: number }[]).map(({ attempt }) => attempt),
    [1, 2, 3, 4],
  );
  await next.stop();
});

t.test('a malformed event is dead at once, and the others of its batch are settled', async (t) => {
  const account = await insertAccount(admin);
  const [good, bad] = [usageEventFields(account), usageEventFields(account)];
  await streams.add('transcribe', { ...bad, audio_seconds: 'long' });
  await streams.add('transcribe', { nothing: 'of use' });
  // A text that the api refuses together with its whole batch.
  await streams.add('transcribe', { ...bad, model: 'a\u0000b' });
  await streams.add('transcribe', good);
  const collector = startCollector(t, collectorOptions);
  await eventually(() => isSettled(good.event_id));
  await eventually(async () => (await streams.length('dead')) === 3);
  t.match(
    (await streams.entries('dead')).map(({ error, attempt }) => ({ error, attempt })),
    [{ attempt: '1' }, { attempt: '1' }, { attempt: '1' }],
  );
  t.equal(await streams.length('dlq'), 0);
  await collector.stop();
});

t.test(
  'while our own key is refused no event is touched and the collector is not ready; a good key ends it',
  async (t) => {
    const account = await insertAccount(admin);
    const event = usageEventFields(account);
    await admin`update service_accounts set disabled_at = now()`;
    // A key that was read stays good for up to a second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const collector = startCollector(t, collectorOptions);
    await eventually(() => collector.unready().length === 0);
    await streams.add('transcribe', event);
    await eventually(() => collector.unready().some((path) => path.startsWith('collector/transcribe')));
    t.same([await streams.length('transcribe'), await streams.length('dlq'), await streams.length('dead')], [1, 0, 0]);
    await admin`update service_accounts set disabled_at = null`;
    await eventually(() => isSettled(event.event_id));
    await eventually(() => collector.unready().length === 0);
    t.equal(await streams.length('transcribe'), 0);
    await collector.stop();
  },
);

t.test(
  'a batch that is posted twice within a second, and so has one signature, is not taken for a replay',
  async (t) => {
    const account = await insertAccount(admin);
    const event = usageEventFields(account);
    const collector = startCollector(t, collectorOptions);
    for (let copy = 0; copy < 4; copy += 1) {
      await streams.add('transcribe', event);
      await eventually(async () => (await streams.length('transcribe')) === 0);
    }
    t.ok(await isSettled(event.event_id));
    t.same([await streams.length('dlq'), await streams.length('dead')], [0, 0]);
    await collector.stop();
  },
);
