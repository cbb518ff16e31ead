import t from 'tap';
import { deriveIdentitySecrets } from '../../../../actors/crypto/secrets.ts';
import { connectPostgres } from '../../../../transports/postgres/connection/connect.ts';
import { runtimeUrl } from '../../../../transports/postgres/schema/database-roles.ts';
import { migrate, readMigrations } from '../../../../transports/postgres/schema/migrate.ts';
import { checkRuntimeRole } from '../../../../transports/postgres/schema/runtime-role.ts';
import { createMigratedDatabase, TEST_SECRET_KEY } from '../../../fixtures/migrated-database.ts';
import { createTestDatabase } from '../../../fixtures/postgres.ts';

const passwords = deriveIdentitySecrets(TEST_SECRET_KEY).rolePasswords;

t.test('four processes that migrate one database at once apply each migration once', async (t) => {
  const { url } = await createTestDatabase(t);
  const runs = await Promise.all([1, 2, 3, 4].map(() => migrate({ adminUrl: url, passwords })));
  t.strictSame(
    runs.flat().sort(),
    readMigrations().map((migration) => migration.name),
  );
});

t.test('a migration numbered twice would be lost, so there is none', async (t) => {
  const versions = readMigrations().map((migration) => migration.version);
  t.equal(new Set(versions).size, versions.length);
  for (const migration of readMigrations()) t.match(migration.text, /^-- .*\n-- Locks: /m, migration.name);
});

t.test('refuses a database whose migration was edited after it was applied', async (t) => {
  const { url } = await createTestDatabase(t);
  await migrate({ adminUrl: url, passwords });
  const edited = readMigrations().map((migration) => ({ ...migration, checksum: 'another' }));
  await t.rejects(migrate({ adminUrl: url, passwords, migrations: edited }), { code: 'MIGRATION_CHANGED' });
});

t.test('a host with another secret key is refused, and the passwords of those that run stay', async (t) => {
  const { url } = await createTestDatabase(t);
  await migrate({ adminUrl: url, passwords });
  const others = deriveIdentitySecrets('the key of another host, 32 characters or more').rolePasswords;
  await t.rejects(migrate({ adminUrl: url, passwords: others }), { code: 'SECRET_KEY_WRONG' });
  // Roles belong to the server: another of its databases is no way around.
  const second = await createTestDatabase(t);
  await t.rejects(migrate({ adminUrl: second.url, passwords: others }), { code: 'SECRET_KEY_WRONG' });
  const running = connectPostgres(runtimeUrl(url, 'vello_api', passwords), { max: 1, name: 'running api' });
  t.teardown(() => running.end());
  await checkRuntimeRole(running, 'vello_api');
  t.strictSame(await migrate({ adminUrl: url, passwords }), []);
});

t.test('a failing migration leaves nothing of itself behind', async (t) => {
  const { url, sql } = await createTestDatabase(t);
  const broken = { version: 1, name: '0001-broken.sql', text: 'create table half (id int); select 1/0', checksum: 'x' };
  await t.rejects(migrate({ adminUrl: url, passwords, migrations: [broken] }), { code: 'MIGRATION_FAILED' });
  const [row] = await sql`select to_regclass('public.half') as half`;
  t.equal(row?.['half'], null);
});

t.test('an older build runs on a database that a newer one has migrated', async (t) => {
  const { url, sql } = await createTestDatabase(t);
  const later = { version: 9999, name: '9999-later.sql', text: 'create table later (id int)', checksum: 'later' };
  await migrate({ adminUrl: url, passwords, migrations: [...readMigrations(), later] });
  t.strictSame(await migrate({ adminUrl: url, passwords }), []);
  const pool = connectPostgres(runtimeUrl(url, 'vello_api', passwords), { max: 1, name: 'old api' });
  t.teardown(() => pool.end());
  await checkRuntimeRole(pool, 'vello_api');
  t.equal((await sql`select count(*)::int as n from schema_migrations`)[0]?.['n'], readMigrations().length + 1);
});

t.test('a role with too many rights, an old schema and an unguarded table are each refused at start', async (t) => {
  const { adminUrl, admin, pool } = await createMigratedDatabase(t);
  const api = pool('vello_api', 1);
  await checkRuntimeRole(api, 'vello_api');

  const superuser = connectPostgres(adminUrl, { max: 1, name: 'superuser' });
  t.teardown(() => superuser.end());
  await t.rejects(checkRuntimeRole(superuser, 'vello_api'), { code: 'DATABASE_ROLE_UNSAFE', message: /superuser/ });
  await t.rejects(checkRuntimeRole(pool('vello_service', 1), 'vello_api'), { code: 'DATABASE_ROLE_UNSAFE' });

  await admin`alter table jobs no force row level security`;
  await t.rejects(checkRuntimeRole(api, 'vello_api'), { code: 'DATABASE_UNGUARDED', message: /jobs/ });
  await admin`alter table jobs force row level security`;
  await admin`create table notes (user_id uuid)`;
  await t.rejects(checkRuntimeRole(api, 'vello_api'), { code: 'DATABASE_UNGUARDED', message: /notes/ });
  await admin`drop table notes`;

  await admin`delete from schema_migrations where version = (select max(version) from schema_migrations)`;
  await t.rejects(checkRuntimeRole(api, 'vello_api'), { code: 'DATABASE_NOT_MIGRATED' });
});
