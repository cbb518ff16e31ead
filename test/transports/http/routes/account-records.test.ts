/** Reading an account: each row once, newest first, and never another owner's. */
import fc from 'fast-check';
import t from 'tap';
import type { Account } from '../../../fixtures/account.ts';
import { startReadingApi } from '../../../fixtures/reading-api.ts';

type Api = Awaited<ReturnType<typeof startReadingApi>>;
type Row = Readonly<Record<string, unknown>>;

/** Walks a list to its end. `between` runs after each page. */
async function walk(api: Api, account: Account, path: string, limit: number, between = async () => {}) {
  const rows: Row[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = cursor === '' ? `?limit=${limit}` : `?limit=${limit}&cursor=${cursor}`;
    const { status, body } = await api.call(account, 'GET', path + query);
    if (status !== 200) throw new Error(`${path} answered ${status}`);
    const page = body as { items: Row[]; next_cursor: string | null };
    if (page.items.length > limit) throw new Error('a page was longer than asked for');
    rows.push(...page.items);
    cursor = page.next_cursor;
    await between();
  }
  return rows;
}

t.test('tells an account who it is and what it has', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account(2);
  const other = await api.account(777);
  await api.addJob(account);
  const { body } = await api.call(account, 'GET', '/api/me');
  t.match(body, {
    user_id: account.userId,
    device_id: account.deviceId,
    created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    credits: { balance: 1, suspended: false },
  });
  await api.addJob(account);
  t.match((await api.call(account, 'GET', '/api/me')).body, { credits: { balance: 0, suspended: true } });
  t.match((await api.call(other, 'GET', '/api/me')).body, { credits: { balance: 777 } });
});

t.test('shows a job with the text that the gateway kept, then with the one its device confirmed', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  const jobId = await api.addJob(account, { result: 'kept words', usage: { total_tokens: 3 } });
  const path = `/api/jobs/${jobId}`;
  t.match((await api.call(account, 'GET', path)).body, {
    job_id: jobId,
    kept_text: 'kept words',
    transcription: null,
    transcribed_at: null,
    usage: { total_tokens: 3 },
  });
  const first = await api.call(account, 'PUT', `${path}/transcription`, { text: 'spoken words' });
  t.match(first, { status: 200, body: { job_id: jobId, duplicate: false } });
  const second = await api.call(account, 'PUT', `${path}/transcription`, { text: 'other words' });
  t.match(second, { status: 200, body: { ...(first.body as object), duplicate: true } });
  t.match((await api.call(account, 'GET', path)).body, {
    transcription: { text: 'spoken words', source: 'device' },
    transcribed_at: (first.body as { transcribed_at: string }).transcribed_at,
  });
  t.match(await walk(api, account, '/api/transcriptions', 10), [{ job_id: jobId, text: 'spoken words' }]);
});

t.test('ends an orphan once however many confirmations come at the same time', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  const jobId = await api.addJob(account);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      api.call(account, 'PUT', `/api/jobs/${jobId}/transcription`, { text: `${n}` }),
    ),
  );
  t.ok(answers.every((answer) => answer.status === 200));
  t.equal(answers.filter((answer) => !(answer.body as { duplicate: boolean }).duplicate).length, 1);
  const [counts] = await api.admin`select
    (select count(*)::int from transcriptions) as texts,
    (select count(*)::int from job_events where kind = 'transcribed') as ends`;
  t.match(counts, { texts: 1, ends: 1 });
});

t.test('takes no text for a job that is not a transcription, nor for one that is not there', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  const jobId = await api.addJob(account, { type: 'process' });
  const refused = await api.call(account, 'PUT', `/api/jobs/${jobId}/transcription`, { text: 'x' });
  t.match(refused, { status: 409, body: { code: 'JOB_TAKES_NO_TEXT' } });
  const nowhere = '/api/jobs/01890000-0000-7000-8000-000000000000';
  t.match(await api.call(account, 'PUT', `${nowhere}/transcription`, { text: 'x' }), { status: 404 });
  t.match(await api.call(account, 'GET', nowhere), { status: 404, body: { code: 'JOB_NOT_FOUND' } });
});

t.test('never shows, renames, revokes or ends what belongs to another account', async (t) => {
  const api = await startReadingApi(t);
  const [a, b] = [await api.account(), await api.account()];
  const jobId = await api.addJob(b, { result: 'secret of b' });
  await api.call(b, 'PUT', `/api/jobs/${jobId}/transcription`, { text: 'secret of b' });
  t.equal((await api.call(a, 'GET', `/api/jobs/${jobId}`)).status, 404);
  t.equal((await api.call(a, 'PUT', `/api/jobs/${jobId}/transcription`, { text: 'x' })).status, 404);
  t.equal((await api.call(a, 'PATCH', `/api/devices/${b.deviceId}`, { name: 'mine' })).status, 404);
  t.equal((await api.call(a, 'DELETE', `/api/devices/${b.deviceId}`)).status, 404);
  t.same(api.grants.operations, []);
  for (const path of ['/api/me', '/api/devices', '/api/credits/ledger', '/api/jobs', '/api/transcriptions']) {
    const { status, text } = await api.call(a, 'GET', path);
    t.equal(status, 200, path);
    for (const trace of [b.userId, b.deviceId, jobId, 'secret of b']) t.notOk(text.includes(trace), path);
  }
  t.match((await api.call(b, 'GET', '/api/devices')).body, { items: [{ name: 'Desk', revoked_at: null }] });
});

t.test('gives every row once, newest first, whatever the page size and whatever is added meanwhile', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  const before: string[] = [];
  for (let n = 0; n < 23; n += 1) {
    const jobId = await api.addJob(account);
    await api.call(account, 'PUT', `/api/jobs/${jobId}/transcription`, { text: `${n}` });
    before.push(jobId);
  }
  const newestFirst = [...before].reverse();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom('/api/jobs', '/api/transcriptions'),
      async (limit, path) => {
        const rows = await walk(api, account, path, limit, async () => {
          if (path === '/api/jobs') await api.addJob(account);
        });
        const seen = rows.map((row) => row['job_id']);
        t.equal(new Set(seen).size, seen.length, 'no row twice');
        t.same(
          seen.filter((id) => before.includes(id as string)),
          newestFirst,
          'each row that was there, in order',
        );
      },
    ),
    { numRuns: 12 },
  );
  const ledger = await walk(api, account, '/api/credits/ledger', 7, async () => {
    await api.addJob(account);
  });
  const entries = ledger.map((row) => row['entry'] as number);
  t.same(
    entries,
    Array.from({ length: entries.length }, (_, n) => entries.length - n),
  );
  t.equal(
    ledger.reduce((sum, row) => sum + (row['delta'] as number), 0),
    ledger[0]?.['balance_after'],
  );
});

t.test('refuses a cursor that the list did not give', async (t) => {
  const api = await startReadingApi(t);
  const account = await api.account();
  await api.addJob(account);
  await api.addJob(account);
  const { body } = await api.call(account, 'GET', '/api/jobs?limit=1');
  const cursor = (body as { next_cursor: string }).next_cursor;
  t.equal((await api.call(account, 'GET', `/api/jobs?cursor=${cursor}`)).status, 200);
  for (const path of ['/api/transcriptions', '/api/credits/ledger', '/api/devices']) {
    const refused = await api.call(account, 'GET', `${path}?cursor=${cursor}`);
    t.match(refused, { status: 422, body: { code: 'INVALID_FIELDS', errors: [{ field: '/cursor' }] } }, path);
  }
  for (const wrong of ['x', 'am9iczp4', encodeURIComponent("am9iczo' or 1=1"), 'bGVkZ2VyOjFlOQ']) {
    t.equal((await api.call(account, 'GET', `/api/jobs?cursor=${wrong}`)).status, 422, wrong);
  }
});
