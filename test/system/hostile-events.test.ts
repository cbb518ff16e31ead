/** A usage event may hold anything: it is settled or refused by itself, and never takes the request or its neighbours down. */
import fc from 'fast-check';
import t from 'tap';
import { insertAccount } from '../fixtures/account.ts';
import { startApiRole, type RunningApi } from '../fixtures/api-role.ts';
import { usageEventFields } from '../fixtures/usage-event.ts';

type Fields = Readonly<Record<string, string>>;

/** Out of range, nested without end, of another alphabet, or what a database cannot keep. */
const ODD = [
  ...[
    '',
    '0',
    '-1',
    '-0',
    '1e308',
    '1e-320',
    '1e400',
    'NaN',
    'Infinity',
    '0x10',
    '1.5',
    ' 1',
    '１',
    'null',
    '[]',
    '{}',
  ],
  ...[
    '2147483648',
    '253402300800000',
    '8640000000000001',
    '999999999999999',
    '9007199254740993',
    '99999999999999999999',
  ],
  'a\u0000b',
  '\ud800',
  ...['{"a":1}', '{"a":"\\u0000"}', '{"\\ud800":1}', '{"a":1e999}', '{"prompt_tokens":1e300}', '{"prompt_tokens":-5}'],
  ...['00000000-0000-0000-0000-000000000000', 'transcribe', 'process', 'ok', 'header', "'; drop table jobs; --"],
  `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`,
  'x'.repeat(300_000),
];

/** Settles the events and one good one, and returns the number of jobs made. */
async function settle(api: RunningApi, events: readonly Fields[], good: Fields): Promise<number> {
  const body = JSON.stringify({ events: [...events, good] });
  const headers = { ...api.signAsService('POST', '/api/jobs/add', body), 'Content-Type': 'application/json' };
  const response = await fetch(`${api.base}/api/jobs/add`, { method: 'POST', headers, body });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  const { results } = JSON.parse(text) as { results: { job_id?: string; error?: { status: number } }[] };
  if (results.length !== events.length + 1) throw new Error('a verdict is missing');
  if (results.at(-1)?.job_id === undefined) throw new Error('a good event suffered from its neighbours');
  if (results.some(({ error }) => error !== undefined && error.status >= 500)) throw new Error(text);
  return results.filter((result) => result.job_id !== undefined).length;
}

t.test('whatever stands in the fields of an event, it gets a verdict of its own', async (t) => {
  const api = await startApiRole(t);
  const account = await insertAccount(api.database.admin, { balance: 1_000_000 });
  const whole = (): Fields => ({ ...usageEventFields(account) });
  const names = Object.keys(whole());

  for (const name of names) {
    const events = ODD.map((value) => ({ ...whole(), [name]: value }));
    await t.resolves(settle(api, events, whole()), name);
  }

  const odd = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...ODD));
  const changed = fc.dictionary(fc.constantFrom(...names), odd, { minKeys: 1, maxKeys: 3 });
  const spoiled = fc.tuple(changed, fc.subarray(names, { maxLength: 2 })).map(([changes, dropped]) => {
    const event = Object.entries({ ...whole(), ...changes });
    return Object.fromEntries(event.filter(([name]) => !dropped.includes(name)));
  });
  await fc.assert(
    fc.asyncProperty(fc.array(spoiled, { minLength: 1, maxLength: 8 }), async (events) => {
      await settle(api, events, whole());
    }),
    { numRuns: 40 },
  );

  const [ledger] = await api.database.admin`
    select c.balance, (select sum(delta) from credit_transactions where user_id = ${account.userId})::bigint as sum
    from users_credits c where user_id = ${account.userId}`;
  t.equal(ledger?.['balance'], ledger?.['sum'], 'the ledger adds up');
  t.same(
    api.log.lines.filter((line) => line.level === 'error').map((line) => line.message),
    [],
  );
});
