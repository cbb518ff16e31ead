import { createServer } from 'node:net';
import postgres from 'postgres';
import t from 'tap';
import { loadSettings } from '../../../config/load-settings.ts';
import { settlePorts } from '../../../scripts/foundation/settle-ports.ts';
import { checkAddresses } from '../../../scripts/foundation/check-addresses.ts';
import { checkDatabase } from '../../../scripts/foundation/check-database.ts';
import { checkRedis } from '../../../scripts/foundation/check-redis.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { createTestDatabase } from '../../fixtures/postgres.ts';
import { startRedis } from '../../fixtures/redis.ts';

t.test('a database that can be used is taken', async (t) => {
  const database = await createTestDatabase(t);
  t.match(await checkDatabase(database.url), /^\d+/);
});

t.test('a database that cannot be used is named without its password', async (t) => {
  const { url, sql, name } = await createTestDatabase(t);
  const changed = (change: (url: URL) => void) => {
    const copy = new URL(url);
    change(copy);
    return copy.href;
  };
  const nobody = await freePort();
  const cases: [string, RegExp][] = [
    [changed((copy) => (copy.port = String(nobody))), /nothing listens/],
    [changed((copy) => (copy.password = 'hush-hush')), /refuses the user or password/],
    [changed((copy) => (copy.pathname = '/no_such_database')), /does not exist/],
    [changed((copy) => (copy.hostname = 'no-such-host.invalid')), /no such host/],
  ];
  for (const [given, expected] of cases) {
    const error: unknown = await checkDatabase(given).catch((refusal: unknown) => refusal);
    t.match(String(error), expected);
    t.match(String(error), /VELLO_DATABASE_URL/);
    t.notMatch(String(error), /hush-hush/);
  }

  const role = `powerless_${name}`;
  await sql.unsafe(`create role ${role} login password 'x'`);
  t.teardown(async () => {
    const admin = postgres(url, { max: 1 });
    await admin.unsafe(`drop role ${role}`);
    await admin.end();
  });
  const [row] = await sql<
    { there: number }[]
  >`select count(*)::int as there from pg_roles where rolname like 'vello\\_%'`;
  const powerless = checkDatabase(changed((copy) => ([copy.username, copy.password] = [role, 'x'])));
  // In the cluster that tests share, Vello's roles may be there already, and then nothing needs to be created.
  if ((row?.there ?? 0) >= 4) await t.resolves(powerless);
  else await t.rejects(powerless, /may not create roles/);
});

t.test('a Redis that can be used is taken, with a warning where it would evict keys', async (t) => {
  const good = await startRedis(t);
  t.match(await checkRedis(good.url), { version: /^\d+\./, warnings: [] });
  const evicting = await startRedis(t, { settings: { 'maxmemory-policy': 'allkeys-lru' } });
  t.match(await checkRedis(evicting.url), { warnings: [/evicts keys/] });
});

t.test('a Redis that cannot be used is named without its password', async (t) => {
  const server = await startRedis(t);
  await t.rejects(checkRedis(`redis://127.0.0.1:${await freePort()}`), /nothing listens.*VELLO_REDIS_URL/);
  const error: unknown = await checkRedis(`redis://:hush-hush@127.0.0.1:${server.port}`).catch(
    (refusal: unknown) => refusal,
  );
  t.match(String(error), /refuses the user or password/);
  t.notMatch(String(error), /hush-hush/);
});

t.test('an address that is taken, or asked for twice, is named with its setting', async (t) => {
  const port = await freePort();
  const wanted = (variable: string) => ({ host: '127.0.0.1', port, variable });
  await t.resolves(checkAddresses([wanted('VELLO_API_LISTEN')]));
  await t.rejects(checkAddresses([wanted('VELLO_API_LISTEN'), wanted('VELLO_ADMIN_LISTEN')]), /asked for twice/);
  const squatter = createServer().listen({ host: '127.0.0.1', port });
  await new Promise((resolve) => squatter.once('listening', resolve));
  t.teardown(() => squatter.close());
  await t.rejects(checkAddresses([wanted('VELLO_API_LISTEN')]), /\(VELLO_API_LISTEN\) is in use/);
  const elsewhere = { ...wanted('VELLO_API_LISTEN'), host: '192.0.2.1' };
  await t.rejects(checkAddresses([elsewhere]), /192\.0\.2\.1 \(VELLO_API_LISTEN\) is no address of this machine/);
});

t.test('a port of 0 becomes the one that is printed and listened on', async (t) => {
  const given = loadSettings({ VELLO_API_LISTEN: '127.0.0.1:0', VELLO_ADMIN_LISTEN: '127.0.0.1:0' });
  const { apiListen, adminListen, gatewayListen } = await settlePorts(given);
  t.ok(apiListen.port > 0 && adminListen.port > 0);
  t.not(apiListen.port, adminListen.port);
  t.equal(apiListen.host, '127.0.0.1');
  t.strictSame(gatewayListen, given.gatewayListen, 'others stay as they are');
});
