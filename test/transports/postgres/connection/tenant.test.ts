import t from 'tap';
import postgres from 'postgres';
import { unguardedTables } from '../../../../transports/postgres/schema/runtime-role.ts';
import { createTenantDatabase } from '../../../../transports/postgres/connection/tenant.ts';
import { createMigratedDatabase } from '../../../fixtures/migrated-database.ts';
import type { Account } from '../../../fixtures/account.ts';
import { insertPopulatedAccount } from '../../../fixtures/populated-account.ts';

const database = await createMigratedDatabase(t);
const { admin } = database;

/** Tables with a user's data, and the column that names the user. */
async function tenantTables(): Promise<readonly (readonly [string, string])[]> {
  const rows = await admin<{ name: string }[]>`
    select table_name as name from information_schema.columns
    where table_schema = 'public' and column_name = 'user_id' order by 1`;
  return [['users', 'id'], ...rows.map((row) => [row.name, 'user_id'] as const)];
}

/** Rows touched, or `refused` where the role has not even the right to try. */
const attempt = (query: PromiseLike<postgres.RowList<postgres.Row[]>>): Promise<number | 'refused'> =>
  Promise.resolve(query).then(
    (rows) => rows.count,
    (error: unknown) => {
      if (error instanceof postgres.PostgresError && error.code === '42501') return 'refused';
      throw error;
    },
  );

t.test('for every table and every verb, one user can see, add, change and delete nothing of another', async (t) => {
  const { tenants } = database;
  const [a, b] = [await insertPopulatedAccount(admin), await insertPopulatedAccount(admin)];
  const as = (userId: string, query: string, args: postgres.ParameterOrJSON<number>[] = []) =>
    attempt(tenants.withTenant(userId, (tx) => tx.unsafe(query, args).execute()));
  const before = await contents();

  for (const [table, owner] of await tenantTables()) {
    for (const { userId } of [a, b]) {
      const [row] = await admin`select count(*)::int as n from ${admin(table)} where ${admin(owner)} = ${userId}`;
      t.ok(row?.['n'], `${table}: the test has a row of each user to look for`);
    }
    const own = await as(a.userId, `select ${owner} from ${table} where ${owner} = $1`, [a.userId]);
    const theirs = await as(a.userId, `select ${owner} from ${table} where ${owner} = $1`, [b.userId]);
    if (own === 'refused') t.equal(theirs, 'refused', `${table}: select`);
    else {
      t.ok(own >= 1, `${table}: sees its own`);
      t.equal(theirs, 0, `${table}: select`);
    }
    const [copied] =
      await admin`select to_jsonb(x) as row from ${admin(table)} x where ${admin(owner)} = ${b.userId} limit 1`;
    const insert = `insert into ${table} select * from jsonb_populate_record(null::${table}, $1::text::jsonb)`;
    t.equal(await as(a.userId, insert, [JSON.stringify(copied?.['row'])]), 'refused', `${table}: insert`);

    const columns = await admin<{ name: string }[]>`
      select column_name as name from information_schema.column_privileges
      where grantee = 'vello_api' and privilege_type = 'UPDATE' and table_name = ${table}`;
    t.notOk(
      columns.some(({ name }) => name === owner),
      `${table}: its owner cannot be changed`,
    );
    for (const { name } of columns) {
      const touched = await as(a.userId, `update ${table} set ${name} = ${name} where ${owner} = $1`, [b.userId]);
      t.equal(touched, 0, `${table}: update ${name}`);
    }
    const removed = await as(a.userId, `delete from ${table} where ${owner} = $1`, [b.userId]);
    t.ok(removed === 0 || removed === 'refused', `${table}: delete`);
    t.equal(await as(a.userId, `truncate ${table} cascade`), 'refused', `${table}: truncate`);
  }
  t.strictSame(await contents(), before, 'nothing changed');
});

t.test('without a user there are no rows, and what a transaction carried is gone with it', async (t) => {
  const account = await insertPopulatedAccount(admin);
  const api = database.pool('vello_api', 1);
  const tenants = createTenantDatabase(api);
  const check = async (when: string) => {
    for (const [table] of await tenantTables()) {
      const seen = await attempt(api.unsafe(`select 1 from ${table}`));
      t.ok(seen === 0 || seen === 'refused', `${table} ${when}`);
    }
  };
  await check('before any transaction');
  t.equal((await tenants.withTenant(account.userId, (tx) => tx`select 1 from jobs`)).count, 1);
  await check('after a commit');
  const failure = tenants.withTenant(account.userId, async (tx) => {
    await tx`select 1 from jobs`;
    throw new Error('changed my mind');
  });
  await t.rejects(failure, { message: 'changed my mind' });
  await check('after a rollback');
});

t.test('a pool of two connections under a thousand mixed requests never shows a user another one', async (t) => {
  const accounts: Account[] = [];
  for (let i = 0; i < 5; i += 1) accounts.push(await insertPopulatedAccount(admin));
  const api = database.pool('vello_api', 2);
  const tenants = createTenantDatabase(api);
  const seen = (rows: Iterable<postgres.Row>) => new Set([...rows].map((row) => String(row['user_id'])));
  let leaks = 0;
  const request = async (index: number) => {
    const account = accounts[index % accounts.length];
    if (account === undefined) return;
    if (index % 7 === 0) leaks += (await api`select user_id from jobs`).count;
    else if (index % 11 === 0) {
      await tenants.withTenant(account.userId, (tx) => tx`select 1 / 0`).catch(() => undefined);
    } else {
      const { first, second } = await tenants.withTenant(account.userId, async (tx) => ({
        first: await tx`select user_id from credit_transactions`,
        second: await tx`select user_id from transcriptions`,
      }));
      for (const users of [seen(first), seen(second)]) {
        if (users.size !== 1 || !users.has(account.userId)) leaks += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: 1000 }, (_, index) => request(index)));
  t.equal(leaks, 0);
});

t.test('every table with a user in it is guarded, and each policy of the api names the user both ways', async (t) => {
  t.strictSame(await unguardedTables(admin as never), []);
  const policies = await admin<{ table: string; using: string | null; check: string | null }[]>`
    select tablename as table, qual as using, with_check as check from pg_policies where 'vello_api' = any(roles)`;
  for (const { table, using, check } of policies) {
    t.match(using, /NULLIF\(current_setting\('app\.user'/, `${table} using`);
    t.equal(check, using, `${table} with check`);
  }
  const [open] = await admin`select count(*)::int as n from pg_policies where 'public' = any(roles)`;
  t.equal(open?.['n'], 0, 'no policy is for everybody');
  const [definers] = await admin`
    select count(*)::int as n from pg_proc where pronamespace = 'public'::regnamespace and prosecdef`;
  t.equal(definers?.['n'], 0, "no function runs with its owner's rights");
});

t.test('every table of the schema is explained', async (t) => {
  const silent = await admin`
    select relname from pg_class c where relnamespace = 'public'::regnamespace and relkind = 'r'
      and obj_description(c.oid, 'pg_class') is null`;
  t.strictSame([...silent], []);
});

t.test('nobody who runs at run time can change the ledger or the audit log', async (t) => {
  await insertPopulatedAccount(admin);
  const granted = await admin`
    select grantee, table_name, privilege_type from information_schema.table_privileges
    where table_name in ('credit_transactions', 'audit_log') and grantee like 'vello%' and grantee <> 'vello_owner'
      and privilege_type not in ('SELECT', 'INSERT')`;
  t.strictSame([...granted], []);
  const stubborn = [
    'update credit_transactions set delta = 1',
    'delete from credit_transactions',
    'truncate credit_transactions',
  ];
  for (const query of stubborn) await t.rejects(admin.unsafe(query), { code: '23001' }, `${query}, as superuser`);
});

async function contents(): Promise<Record<string, unknown>> {
  const entries = [];
  for (const [table] of await tenantTables()) {
    const [row] =
      await admin`select md5(coalesce(string_agg(x::text, '|' order by x::text), '')) as sum from ${admin(table)} x`;
    entries.push([table, row?.['sum']] as const);
  }
  return Object.fromEntries(entries);
}
