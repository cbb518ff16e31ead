/** The promises of a PostgreSQL server of our own, which are also those of the test fixture. */
import { spawnSync } from 'node:child_process';
import { chownSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import t from 'tap';
import { findNobody } from '../../../transports/process/own-user-id.ts';
import { startPostgres } from '../../../transports/process/postgres-cluster.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { createTestDatabase, startTestCluster } from '../../fixtures/postgres.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';

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

const needsRoot = process.getuid?.() === 0 ? false : 'only root can give PostgreSQL another user id';

t.test('started by root, it has a user id that no account and nobody else has', { skip: needsRoot }, async (t) => {
  const folder = join(temporaryFolder(t), 'postgres');
  const data = join(folder, 'data');
  const options = { folder, logFile: `${folder}.log`, port: await freePort(), password: 'test' };
  const owners = () =>
    new Set(readdirSync(data, { recursive: true }).map((name) => statSync(join(data, String(name))).uid));

  const first = await startPostgres(options);
  t.teardown(() => first.stop(5000));
  const { uid } = statSync(`/proc/${first.pid}`);
  t.not(uid, 0);
  t.not(uid, findNobody().uid);
  t.equal(spawnSync('getent', ['passwd', String(uid)]).status, 2, 'no account was made for it');
  t.strictSame([...owners()], [uid], 'nothing of it belongs to anybody else');
  t.equal(statSync(data).mode & 0o777, 0o700);
  await first.stop(5000);

  const nobody = findNobody();
  for (const name of ['.', ...readdirSync(data, { recursive: true })]) {
    chownSync(join(data, String(name)), nobody.uid, nobody.gid);
  }
  const second = await startPostgres(options);
  t.teardown(() => second.stop(5000));
  t.equal(statSync(`/proc/${second.pid}`).uid, uid, 'what nobody owned is handed over, to the same id');
  t.strictSame([...owners()], [uid]);
});
