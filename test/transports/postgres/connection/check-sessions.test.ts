import postgres from 'postgres';
import t from 'tap';
import { deriveIdentitySecrets } from '../../../../actors/crypto/secrets.ts';
import { checkDatabase } from '../../../../scripts/foundation/check-database.ts';
import { checkSessions } from '../../../../transports/postgres/connection/check-sessions.ts';
import { migrate } from '../../../../transports/postgres/schema/migrate.ts';
import { TEST_SECRET_KEY } from '../../../fixtures/migrated-database.ts';
import { obtainPgbouncer, startPgbouncer } from '../../../fixtures/pgbouncer.ts';
import { createTestDatabase } from '../../../fixtures/postgres.ts';

t.test('PostgreSQL itself is taken', async (t) => {
  const { url } = await createTestDatabase(t);
  await t.resolves(checkSessions(url));
});

const pgbouncer = await obtainPgbouncer();

t.test('behind pgbouncer', { skip: 'reason' in pgbouncer ? pgbouncer.reason : false }, async (t) => {
  const program = 'path' in pgbouncer ? pgbouncer.path : '';
  const { url } = await createTestDatabase(t);
  const lenient = {
    ignore_startup_parameters: 'statement_timeout,idle_in_transaction_session_timeout,lock_timeout',
  };
  const cases: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
    ['in a transaction pool', { pool_mode: 'transaction' }, /refuses settings/],
    ['that ignores settings', { pool_mode: 'transaction', ...lenient }, /drops the settings/],
    ['in a session pool that ignores settings', { pool_mode: 'session', ...lenient }, /drops the settings/],
    [
      'that sets the settings itself and lends sessions for a transaction',
      { pool_mode: 'transaction', ...lenient, server_round_robin: '0' },
      /to several clients/,
    ],
    [
      'that has one session for all',
      { pool_mode: 'transaction', ...lenient, default_pool_size: '1' },
      /to several clients/,
    ],
  ];
  for (const [what, settings, expected] of cases) {
    await t.test(`is refused at once ${what}, with the reason and what to do`, async (t) => {
      const behind = await startPgbouncer(t, program, url, settings);
      if (expected.source.includes('clients')) {
        const direct = postgres(url, { max: 1 });
        await direct.unsafe(
          `alter role current_user in database ${new URL(url).pathname.slice(1)} set statement_timeout = '15s'`,
        );
        await direct.end();
      }
      const startedAt = performance.now();
      const refusal: unknown = await checkDatabase(behind).catch((error: unknown) => error);
      t.match(refusal, { code: 'DATABASE_POOLED', message: expected });
      t.match(String(refusal), /VELLO_DATABASE_URL.*address of the server/s);
      // Three seconds of silence give the slowest away; a start that waited for its statements would take ten times as long.
      t.ok(performance.now() - startedAt < 10_000);
    });
  }

  t.test('a migration through it leaves no lock that the next would wait for', async (t) => {
    const { url } = await createTestDatabase(t);
    const passwords = deriveIdentitySecrets(TEST_SECRET_KEY).rolePasswords;
    const behind = await startPgbouncer(t, program, url, { pool_mode: 'transaction', ...lenient });
    await migrate({ adminUrl: behind, passwords, migrations: [] }).catch(() => undefined);
    await t.resolves(migrate({ adminUrl: url, passwords, lockWaitMs: 1000 }));
  });
});
