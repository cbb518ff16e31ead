import t from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { auditLedger, giveCredits } from '../../../../transports/postgres/operators/credit-accounts.ts';
import { moveCredits } from '../../../../transports/postgres/credits/ledger.ts';
import { createSettlement } from '../../../../transports/postgres/credits/settlement.ts';
import { createSystemDatabase } from '../../../../transports/postgres/connection/system.ts';
import { insertAccount, type Account } from '../../../fixtures/account.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';
import { pricedEvent } from '../../../fixtures/priced-event.ts';

const database = await createMigratedDatabase(t);
const { admin, operator } = database;
const system = createSystemDatabase(database.pool('vello_service', 16));
const settlement = createSettlement(system);
const gift = (userId: string, amount: number, idempotencyKey: string = uuidv7()) => ({
  userId,
  amount,
  idempotencyKey,
  reason: 'a test',
  operator: 'tester',
});

t.test('the same key gives once, however many give at once, and another amount is a conflict', async (t) => {
  const { userId } = await insertAccount(admin, { balance: 10 });
  const pool = database.pool('vello_operator', 8);
  const given = await Promise.all(Array.from({ length: 20 }, () => giveCredits(pool, gift(userId, 5, 'invoice-1'))));
  t.equal(given.filter(({ duplicate }) => !duplicate).length, 1);
  t.match(await giveCredits(pool, gift(userId, 5, 'invoice-1')), { balance: 15, duplicate: true });
  await t.rejects(giveCredits(pool, gift(userId, 6, 'invoice-1')), { code: 'IDEMPOTENCY_CONFLICT' });
  await t.rejects(giveCredits(pool, gift(uuidv7(), 6)), { code: 'USER_UNKNOWN' });
  const [row] =
    await admin`select count(*)::int as grants from credit_grants where user_id = ${userId} and kind = 'operator'`;
  t.equal(row?.['grants'], 1);
});

t.test('movements with one key at once move once', async (t) => {
  const { userId } = await insertAccount(admin, { balance: 100 });
  const movement = { userId, delta: -10, kind: 'charge', idempotencyKey: 'once' } as const;
  const moved = await Promise.all(Array.from({ length: 30 }, () => system.begin((tx) => moveCredits(tx, movement))));
  t.equal(moved.filter(({ duplicate }) => !duplicate).length, 1);
  t.ok(moved.every(({ balance }) => balance === 90));
});

t.test('exhaustion suspends once below zero, a top-up reinstates, and devices are told of it', async (t) => {
  const account = await insertAccount(admin, { balance: 5 });
  const [verdict] = await settlement.settle([pricedEvent(account, 8)]);
  t.match(verdict, { balance: -3, exhausted: true });
  t.match(await giveCredits(operator, gift(account.userId, 2)), { balance: -1, reinstated: false });
  const given = await giveCredits(operator, gift(account.userId, 50));
  t.match(given, { balance: 49, reinstated: true, told: [{ deviceId: account.deviceId, balance: 49 }] });
  const [message] = await admin`select type, body, seq::int from device_messages where device_id = ${account.deviceId}
    order by seq desc limit 1`;
  t.match(message, { type: 'credits_updated', body: { balance: 49 }, seq: given.told[0]?.seq });
});

t.test('under charges and gifts at once every balance stays the sum of its ledger', async (t) => {
  const accounts: Account[] = [];
  for (let i = 0; i < 4; i += 1) accounts.push(await insertAccount(admin, { balance: 100 }));
  const pool = database.pool('vello_operator', 4);
  const work = Array.from({ length: 200 }, (_, index) => {
    const account = accounts[index % 4] ?? { userId: '', deviceId: '' };
    if (index % 5 === 0) return giveCredits(pool, gift(account.userId, 7));
    return settlement.settle([pricedEvent(account, index % 11), pricedEvent(accounts[(index + 1) % 4] ?? account, 1)]);
  });
  await Promise.all(work);
  t.strictSame([...(await auditLedger(operator)).broken], []);
});

t.test("the audit names what somebody changed behind the ledger's back", async (t) => {
  const [a, b] = [await insertAccount(admin, { balance: 10 }), await insertAccount(admin, { balance: 10 })];
  const job = await insertAccount(admin, { balance: 10 });
  await settlement.settle([pricedEvent(job, 3)]);
  await admin`update users_credits set balance = 11 where user_id = ${a.userId}`;
  await admin`update users_credits set entries = 5 where user_id = ${b.userId}`;
  await admin`update jobs set credits_deducted = 4 where user_id = ${job.userId}`;
  const { broken } = await auditLedger(operator);
  const problems = Object.fromEntries(broken.map(({ userId, problem }) => [userId, problem]));
  t.match(problems, {
    [a.userId]: 'the balance is not the sum of the ledger',
    [b.userId]: 'entries are missing',
    [job.userId]: "a job's charge is not in the ledger",
  });
});
