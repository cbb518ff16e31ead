import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { JOB_COLUMNS } from '../../../../actors/events/usage-event.ts';
import { createSettlement } from '../../../../transports/postgres/credits/settlement.ts';
import { createSystemDatabase } from '../../../../transports/postgres/connection/system.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';
import { insertAccount } from '../../../fixtures/account.ts';
import { pricedEvent as event } from '../../../fixtures/priced-event.ts';

t.test('an event becomes one job, one ledger entry, one remembered id and one message', async (t) => {
  const { admin, system } = await createMigratedDatabase(t);
  const account = await insertAccount(admin, { balance: 100 });
  const settlement = createSettlement(system);
  const priced = event(account, 42, { result: 'words that the desktop missed', usage: { total_tokens: 9 } });
  const [first] = await settlement.settle([priced]);
  t.match(first, {
    outcome: 'settled',
    creditsDeducted: 42,
    balance: 58,
    duplicate: false,
    exhausted: false,
    messageSeq: 1,
  });
  const [again] = await settlement.settle([priced]);
  t.match(again, { outcome: 'settled', creditsDeducted: 42, balance: 58, duplicate: true, messageSeq: undefined });
  t.equal(first?.outcome === 'settled' && first.jobId, again?.outcome === 'settled' && again.jobId);
  const [counts] = await admin`select
    (select count(*)::int from jobs) as jobs, (select count(*)::int from job_events) as history,
    (select count(*)::int from credit_transactions where kind = 'charge') as charges,
    (select count(*)::int from processed_events) as remembered, (select count(*)::int from device_messages) as messages,
    (select text from processing_results) as kept`;
  t.match(counts, {
    jobs: 1,
    history: 1,
    charges: 1,
    remembered: 1,
    messages: 1,
    kept: 'words that the desktop missed',
  });
  const [message] = await admin`select type, body from device_messages`;
  t.match(message, {
    type: 'job_created',
    body: { event_id: priced.eventId, session_id: priced.sessionId, credits_deducted: 42, balance: 58 },
  });
});

t.test('each field that jobs keeps has its column there, and comes to stand in it', async (t) => {
  const { admin, system } = await createMigratedDatabase(t);
  const columns = await admin<{ name: string; type: string }[]>`select column_name as name, udt_name as type
    from information_schema.columns where table_schema = 'public' and table_name = 'jobs'`;
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  for (const { name, type } of JOB_COLUMNS) t.equal(types.get(name), type, `a migration gives jobs its ${name}`);
  const fields: readonly string[] = JOB_COLUMNS.map(({ name }) => name);
  const others = [...types.keys()].filter((name) => !fields.includes(name));
  t.strictSame(others.sort(), ['created_at', 'credits_deducted', 'id', 'transcribed_at'], 'no field of the event');

  const priced = event(await insertAccount(admin, { balance: 100 }), 42, {
    usage: { total_tokens: 9 },
    bytesOut: 7,
    prompt: 'tidy@7',
  });
  await createSettlement(system).settle([priced]);
  const [job] = await admin`select *, extract(epoch from started_at) * 1000 as started_at from jobs`;
  const text = (value: unknown) => JSON.stringify(Number(value) || value);
  for (const { name, property } of JOB_COLUMNS) t.equal(text(job?.[name]), text(priced[property]), name);
});

t.test('a batch keeps its order, counts repeats inside it once and refuses strangers alone', async (t) => {
  const { admin, system } = await createMigratedDatabase(t);
  const [a, b] = [await insertAccount(admin, { balance: 10 }), await insertAccount(admin, { balance: 1000 })];
  const twice = event(a, 4);
  const stranger = event({ userId: uuidv7(), deviceId: uuidv7() }, 1);
  const mixed = event({ userId: a.userId, deviceId: b.deviceId }, 1);
  const verdicts = await createSettlement(system).settle([
    event(b, 1),
    twice,
    stranger,
    twice,
    event(a, 9),
    mixed,
    event(b, 0),
  ]);
  t.match(verdicts, [
    { balance: 999, duplicate: false },
    { balance: 6, duplicate: false, messageSeq: 1 },
    { outcome: 'unknown_user' },
    { balance: 6, duplicate: true },
    // Work already done is recorded, even past zero.
    { balance: -3, exhausted: true, messageSeq: 2 },
    { outcome: 'unknown_user' },
    { balance: 999, creditsDeducted: 0, exhausted: false },
  ]);
  const [row] =
    await admin`select suspended_at is not null as suspended from users_credits where user_id = ${a.userId}`;
  t.match(row, { suspended: true });
});

t.test('two hundred parallel charges lose no update, and repeats of them change nothing', async (t) => {
  const { admin, pool } = await createMigratedDatabase(t);
  const accounts = [await insertAccount(admin, { balance: 5000 }), await insertAccount(admin, { balance: 5000 })];
  const settlement = createSettlement(pool('vello_service', 16) as never);
  const batches = Array.from({ length: 100 }, (_, index) =>
    // Users in both orders, as two collectors would send them: the way to deadlock if locks were taken as they come.
    (index % 2 === 0 ? accounts : accounts.toReversed()).map((account) => event(account, 3)),
  );
  const all = await Promise.all([...batches, ...batches].map((batch) => settlement.settle(batch)));
  t.equal(all.flat().filter((verdict) => verdict.outcome === 'settled' && !verdict.duplicate).length, 200);
  for (const account of accounts) {
    const [row] = await admin`select balance::int, entries::int,
        (select sum(delta)::int from credit_transactions where user_id = ${account.userId}) as sum,
        (select count(*)::int from credit_transactions where user_id = ${account.userId}) as rows,
        (select max(seq)::int from device_messages where device_id = ${account.deviceId}) as seq
      from users_credits where user_id = ${account.userId}`;
    t.strictSame({ ...row }, { balance: 4700, entries: 101, sum: 4700, rows: 101, seq: 100 });
  }
});

t.test('an event that cannot be stored is refused alone, wherever it stands in a batch', async (t) => {
  const { admin, system } = await createMigratedDatabase(t);
  const account = await insertAccount(admin, { balance: 1000 });
  const good = () => event(account, 1);
  const poisons = [event(account, 1, { result: 'a\0b' }), event(account, 1, { status: 10 ** 12 })];
  const batch = [good(), poisons[0] ?? good(), good(), good(), poisons[1] ?? good()];
  const verdicts = await createSettlement(system).settle(batch);
  t.strictSame(
    verdicts.map((verdict) => verdict.outcome),
    ['settled', 'refused', 'settled', 'settled', 'refused'],
  );
  const [row] = await admin`select balance::int, (select count(*)::int from jobs) as jobs from users_credits`;
  t.strictSame({ ...row }, { balance: 997, jobs: 3 });
});

t.test('connections that knew the tables small look rows up by an index when they have grown', async (t) => {
  const { admin, pool } = await createMigratedDatabase(t);
  const sql = pool('vello_service', 1);
  const settlement = createSettlement(createSystemDatabase(sql));
  const account = await insertAccount(admin, { balance: 100_000 });
  // Now the planner knows how small they are, as it does a minute after an installation began to work.
  await admin`analyze`;
  for (let batch = 0; batch < 10; batch += 1) {
    await settlement.settle(Array.from({ length: 20 }, () => event(account, 1)));
  }
  await sql`select pg_stat_force_next_flush()`;
  const scanned = await admin`
    select relname, seq_scan::int from pg_stat_user_tables where relname in ('jobs', 'devices', 'users_credits') and seq_scan > 0`;
  t.same(scanned, []);
});

t.test('a request that a dead gateway had admitted becomes a job that costs nothing', async (t) => {
  const { admin, system } = await createMigratedDatabase(t);
  const account = await insertAccount(admin, { balance: 100 });
  const [lost] = await createSettlement(system).settle([event(account, 0, { outcome: 'lost', status: 0 })]);
  t.match(lost, { outcome: 'settled', creditsDeducted: 0, balance: 100 });
  t.match(await admin`select outcome from jobs`, [{ outcome: 'lost' }]);
});
