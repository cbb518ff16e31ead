/** What deleting an account takes away at once, what it leaves, and what an export holds. */
import { randomBytes } from 'node:crypto';
import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { createAccountErasure, ERASED_TABLES } from '../../../../transports/postgres/account/account-erasure.ts';
import { EXPORT_SECTIONS } from '../../../../transports/postgres/account/account-export.ts';
import type { Account } from '../../../fixtures/account.ts';
import { startReadingApi } from '../../../fixtures/reading-api.ts';

type Api = Awaited<ReturnType<typeof startReadingApi>>;

/** Puts something into every table that holds rows of a user. Returns a word that stands in each text of it. */
async function fill(api: Api, account: Account): Promise<string> {
  const { userId, deviceId } = account;
  const word = `word-${randomBytes(4).toString('hex')}`;
  const jobId = await api.addJob(account, { result: `kept ${word}` });
  await api.call(account, 'PUT', `/api/jobs/${jobId}/transcription`, { text: `spoken ${word}` });
  await api.call(account, 'PATCH', `/api/devices/${deviceId}`, { name: `Desk ${word}` });
  const [sessionId, familyId, hardwareId] = [uuidv7(), uuidv7(), uuidv7()];
  await api.admin.begin(async (tx) => {
    await tx`insert into sessions (id, user_id, device_id, app_version) values (${sessionId}, ${userId}, ${deviceId}, ${word})`;
    await tx`insert into refresh_token_families (id, user_id, session_id, device_id, expires_at)
      values (${familyId}, ${userId}, ${sessionId}, ${deviceId}, now() + interval '1 day')`;
    await tx`insert into refresh_tokens (id, user_id, family_id, hash, expires_at)
      values (${uuidv7()}, ${userId}, ${familyId}, ${randomBytes(32)}, now() + interval '1 day')`;
    await tx`insert into auth_events (id, user_id, device_id, kind, detail)
      values (${uuidv7()}, ${userId}, ${deviceId}, 'authenticated', ${tx.json({ word })})`;
    await tx`insert into device_fingerprints (device_id, user_id, hardware_id, component, pepper_version, hash)
      values (${deviceId}, ${userId}, ${hardwareId}, 'machine_id', 1, ${randomBytes(32)})`;
    await tx`insert into fingerprint_collisions (id, user_id, device_id, hardware_id, components, outcome)
      values (${uuidv7()}, ${userId}, ${deviceId}, ${hardwareId}, '{machine_id}', 'collision')`;
    await tx`insert into dead_letters (id, event_id, user_id, stream, entry_id, fields, attempts, error_code)
      values (${uuidv7()}, ${uuidv7()}, ${userId}, 's', ${word}, ${tx.json({ result: word })}, '[]', 'EVENT_MALFORMED')`;
  });
  return word;
}

async function userTables(api: Api): Promise<readonly string[]> {
  const rows = await api.admin<{ name: string }[]>`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attname = 'user_id' and not a.attisdropped`;
  return rows.map((row) => row.name);
}

/** Every row of every table with a `user_id`, as text. */
async function contents(api: Api, userId: string): Promise<Readonly<Record<string, string>>> {
  const all: Record<string, string> = {};
  for (const table of await userTables(api)) {
    const rows = await api.admin`select * from ${api.admin(table)} where user_id = ${userId}`;
    all[table] = rows.length === 0 ? '' : JSON.stringify(rows);
  }
  return all;
}

t.test('erases what names somebody, keeps the ledger adding up, and touches nobody else', async (t) => {
  const api = await startReadingApi(t);
  const [a, b] = [await api.account(70), await api.account(70)];
  const [wordA] = [await fill(api, a), await fill(api, b)];
  const beforeB = await contents(api, b.userId);
  t.equal((await api.call(a, 'DELETE', '/api/me')).status, 204);
  t.same(api.grants.operations, [
    { op: 'limit', userId: a.userId, requestsAtOnce: undefined },
    { op: 'revoke', scope: { userId: a.userId } },
  ]);
  t.same(await contents(api, b.userId), beforeB);

  const left = await contents(api, a.userId);
  t.notMatch(JSON.stringify(left), wordA);
  const kept = Object.keys(left).filter((table) => left[table] !== '');
  t.same(kept.sort(), [
    'auth_events',
    'credit_grants',
    'credit_transactions',
    'device_fingerprints',
    'devices',
    'fingerprint_collisions',
    'users_credits',
  ]);
  const events = await api.admin`select kind from auth_events where user_id = ${a.userId}`;
  t.same(
    events.map((row) => row['kind'] as string),
    ['account_deleted'],
  );
  const [ledger] = await api.admin`
    select c.balance::int, c.entries::int, (select sum(delta)::int from credit_transactions where user_id = ${a.userId}) as sum,
      (select kind from credit_transactions where user_id = ${a.userId} order by entry desc limit 1) as last
    from users_credits c where c.user_id = ${a.userId}`;
  t.match(ledger, { balance: 0, sum: 0, entries: 3, last: 'erasure' });
  t.equal((await api.call(a, 'GET', '/api/me')).status, 401);
});

t.test('deleting again is harmless and tells the gateways again; thirty at once close the ledger once', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account(70);
  const answers = await Promise.all(Array.from({ length: 30 }, () => api.call(account, 'DELETE', '/api/me')));
  t.ok(answers.every((answer) => answer.status === 204));
  t.equal(api.grants.operations.filter(({ op }) => op === 'revoke').length, 30);
  const [ends] = await api.admin`select count(*)::int as count from credit_transactions where kind = 'erasure'`;
  t.equal(ends?.['count'], 1);
});

t.test('an account in debt is closed at zero too', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account(1);
  await api.addJob(account, {});
  await api.addJob(account, {});
  t.equal((await api.call(account, 'DELETE', '/api/me')).status, 204);
  const [row] =
    await api.admin`select balance::int, (select sum(delta)::int from credit_transactions) as sum from users_credits`;
  t.match(row, { balance: 0, sum: 0 });
});

t.test('the sweep removes what arrives for a deleted account, and only that', async (t) => {
  const api = await startReadingApi(t);
  const [a, b] = [await api.account(), await api.account()];
  await fill(api, b);
  const beforeB = await contents(api, b.userId);
  await api.call(a, 'DELETE', '/api/me');
  await api.admin`insert into dead_letters (id, user_id, stream, entry_id, fields, attempts, error_code)
    values (${uuidv7()}, ${a.userId}, 's', 'late', '{"result": "late words"}', '[]', 'USER_UNKNOWN')`;
  t.equal(await createAccountErasure(api.system).sweep(), 1);
  t.notMatch(JSON.stringify(await contents(api, a.userId)), 'late words');
  t.same(await contents(api, b.userId), beforeB);
  await t.rejects(api.addJob(a), 'nothing is settled for a deleted account');
});

t.test('exports every row of the account and none of another', async (t) => {
  const api = await startReadingApi(t);
  const [a, b] = [await api.account(), await api.account()];
  const [wordA, wordB] = [await fill(api, a), await fill(api, b)];
  for (let n = 0; n < 7; n += 1) await api.addJob(a);
  const { status, text, body } = await api.call(a, 'GET', '/api/me/export');
  t.equal(status, 200);
  for (const foreign of [b.userId, b.deviceId, wordB]) t.notOk(text.includes(foreign));
  const sections = body as Record<string, Record<string, unknown>[]>;
  t.match(sections['exported_at'], /^\d{4}-.*Z$/);
  t.same(
    Object.keys(sections).slice(1),
    EXPORT_SECTIONS.map((section) => section.name),
  );
  for (const { name, table, columns } of EXPORT_SECTIONS) {
    const owner = table === 'users' ? 'id' : 'user_id';
    const rows =
      await api.admin`select count(*)::int as count from ${api.admin(table)} where ${api.admin(owner)} = ${a.userId}`;
    t.equal(sections[name]?.length, rows[0]?.['count'], `every row of ${table}`);
    t.ok((sections[name]?.length ?? 0) > 0, `${table} has rows in this test`);
    t.same(Object.keys(sections[name]?.[0] ?? {}), columns);
  }
  for (const name of ['devices', 'sessions', 'auth_events', 'transcriptions', 'kept_texts', 'abandoned_events']) {
    t.match(JSON.stringify(sections[name]), wordA, name);
  }
  t.match(sections['device_keys']?.[0]?.['public_key'], /^[A-Za-z0-9_-]{43}$/);
  t.equal(new Set(sections['jobs']?.map((job) => job['id'])).size, 8, 'no job twice');
});

t.test('an account is exported five times, and no sixth time within the minute; another one still is', async (t) => {
  const api = await startReadingApi(t);
  const [a, b] = [await api.account(), await api.account()];
  for (let n = 0; n < 5; n += 1) t.equal((await api.call(a, 'GET', '/api/me/export')).status, 200);
  const refused = await api.call(a, 'GET', '/api/me/export');
  t.match(refused, { status: 429, body: { code: 'RATE_LIMITED' } });
  const waitSeconds = Number(refused.headers.get('retry-after'));
  t.ok(waitSeconds > 30 && waitSeconds <= 60, `${waitSeconds} s`);
  t.equal((await api.call(b, 'GET', '/api/me/export')).status, 200);
});

t.test('no table with rows of a user is forgotten by the export or by the erasure', async (t) => {
  const api = await startReadingApi(t);
  const tables = await userTables(api);
  /** Bookkeeping of ours about hardware, tokens and event ids, which tells an owner nothing. */
  const notExported = ['fingerprint_collisions', 'refresh_token_families', 'refresh_tokens', 'processed_events'];
  const exported = EXPORT_SECTIONS.map((section) => section.table);
  t.same(tables.filter((table) => !exported.includes(table)).sort(), notExported.sort());
  /** See docs/decisions/account-deletion.md. */
  const kept = ['auth_events', 'credit_grants', 'credit_transactions', 'device_fingerprints', 'devices'];
  kept.push('fingerprint_collisions', 'users_credits');
  const cascaded = ['job_events', 'transcriptions', 'processing_results', 'refresh_tokens'];
  t.same([...tables].sort(), [...ERASED_TABLES, ...cascaded, ...kept].sort());
});
