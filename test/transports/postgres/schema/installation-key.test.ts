import t from 'tap';
import postgres from 'postgres';
import { deriveIdentitySecrets } from '../../../../actors/crypto/secrets.ts';
import { migrate } from '../../../../transports/postgres/schema/migrate.ts';
import { TEST_SECRET_KEY } from '../../../fixtures/migrated-database.ts';
import { startTestCluster } from '../../../fixtures/postgres.ts';

const passwords = deriveIdentitySecrets(TEST_SECRET_KEY).rolePasswords;
const others = deriveIdentitySecrets('the key of another host, 32 characters or more').rolePasswords;

t.test('a server from before keys were remembered takes only the key that its roles log in with', async (t) => {
  const { url } = await startTestCluster(t);
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  t.teardown(() => sql.end());
  await migrate({ adminUrl: url, passwords });
  await sql`comment on role vello_owner is null`;
  await t.rejects(migrate({ adminUrl: url, passwords: others }), { code: 'SECRET_KEY_WRONG' });
  t.strictSame(await migrate({ adminUrl: url, passwords }), []);
  await t.rejects(migrate({ adminUrl: url, passwords: others }), { code: 'SECRET_KEY_WRONG' });

  await sql`comment on role vello_owner is 'Vello installation key: replace'`;
  t.strictSame(await migrate({ adminUrl: url, passwords: others }), [], 'an operator may have the next key taken');
  await t.rejects(migrate({ adminUrl: url, passwords }), { code: 'SECRET_KEY_WRONG' });
});
