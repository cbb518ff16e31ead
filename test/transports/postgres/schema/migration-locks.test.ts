/** A lock that somebody else holds never stops a start in silence: it is named while it is waited for, and when the wait is over. */
import t from 'tap';
import postgres from 'postgres';
import { deriveIdentitySecrets } from '../../../../actors/crypto/secrets.ts';
import { migrate } from '../../../../transports/postgres/schema/migrate.ts';
import { TEST_SECRET_KEY } from '../../../fixtures/migrated-database.ts';
import { createTestDatabase, type TestDatabase } from '../../../fixtures/postgres.ts';
import type { Teardown } from '../../../fixtures/temporary-folder.ts';

const passwords = deriveIdentitySecrets(TEST_SECRET_KEY).rolePasswords;

/** A session that runs `statement` and keeps its transaction open. */
async function holdLock(t: Teardown, { url }: TestDatabase, statement: string) {
  const holder = postgres(url, { max: 1, connection: { application_name: 'left behind' } });
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  let pid = 0;
  const held = new Promise<void>((resolve, reject) => {
    holder
      .begin(async (tx) => {
        pid = ((await tx`select pg_backend_pid() as pid`)[0]?.['pid'] as number | undefined) ?? 0;
        await tx.unsafe(statement);
        resolve();
        await released;
      })
      .catch(reject);
  });
  t.teardown(async () => {
    release();
    await holder.end({ timeout: 1 });
  });
  await held;
  return { pid, release };
}

const MIGRATION_LOCK = 'select pg_advisory_xact_lock(508507745391)';

t.test('a migration that another process holds up says by whom, and ends with a code', async (t) => {
  const database = await createTestDatabase(t);
  const { pid } = await holdLock(t, database, MIGRATION_LOCK);
  const told: string[] = [];
  const refusal: unknown = await migrate({
    adminUrl: database.url,
    passwords,
    lockWaitMs: 2500,
    onWait: (holder) => told.push(holder),
  }).catch((error: unknown) => error);
  t.match(told, [new RegExp(`^process ${pid} of the server \\("left behind".*pg_terminate_backend\\(${pid}\\)`)]);
  t.equal(told.length, 1);
  t.match(refusal, { code: 'DATABASE_LOCKED', retryable: true, message: /left behind/ });
});

t.test('a migration goes on by itself once the lock is free', async (t) => {
  const database = await createTestDatabase(t);
  const { release } = await holdLock(t, database, MIGRATION_LOCK);
  const migrations = [{ version: 1, name: '0001-one.sql', text: 'select 1', checksum: 'one' }];
  const options = { adminUrl: database.url, passwords, migrations, onWait: () => release() };
  t.strictSame(await migrate(options), ['0001-one.sql']);
});

t.test('a table that is locked by another session is no failed migration, and its holder is named', async (t) => {
  const database = await createTestDatabase(t);
  const create = { version: 1, name: '0001-create.sql', text: 'create table held (id int)', checksum: 'create' };
  await migrate({ adminUrl: database.url, passwords, migrations: [create] });
  const { pid } = await holdLock(t, database, 'lock table held in access share mode');
  const alter = { version: 2, name: '0002-alter.sql', text: 'alter table held add more int', checksum: 'alter' };
  const refusal: unknown = await migrate({
    adminUrl: database.url,
    passwords,
    migrations: [create, alter],
    lockWaitMs: 2500,
  }).catch((error: unknown) => error);
  t.match(refusal, { code: 'DATABASE_LOCKED', message: new RegExp(`process ${pid} of the server`) });
});
