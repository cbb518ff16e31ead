/** The promises of a PostgreSQL server of our own, which are also those of the test fixture. */
import postgres from 'postgres';
import t from 'tap';
import { createTestDatabase, startTestCluster } from '../../fixtures/postgres.ts';

t.test('comes back with committed data after kill -9', async (t) => {
  const cluster = await startTestCluster(t, { fsync: 'on', synchronous_commit: 'on' });
  const connect = () => postgres(cluster.url, { max: 1, onnotice: () => undefined });
  const before = connect();
  await before`create table kept (value text)`;
  await before`insert into kept values ('yes')`;
  await before.end();
  await cluster.crash();
  await cluster.restart();
  const after = connect();
  t.strictSame([...(await after`select value from kept`)], [{ value: 'yes' }]);
  await after.end();
});

t.test('is PostgreSQL 15 or newer, in UTF-8, and asks for the password', async (t) => {
  const cluster = await startTestCluster(t);
  const sql = postgres(cluster.url, { max: 1 });
  t.teardown(() => sql.end());
  const [facts] =
    await sql`select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding`;
  t.ok(Number(facts?.['version']) >= 150_000);
  t.equal(facts?.['encoding'], 'UTF8');
  const wrong = new URL(cluster.url);
  wrong.password = 'guessed';
  const stranger = postgres(wrong.href, { max: 1 });
  await t.rejects(stranger`select 1`, { code: '28P01' });
});

t.test('gives each test a database of its own', async (t) => {
  const one = await createTestDatabase(t);
  const other = await createTestDatabase(t);
  await one.sql`create table mine (id int)`;
  const seen = await other.sql`select 1 from information_schema.tables where table_name = 'mine'`;
  t.equal(seen.length, 0);
});
