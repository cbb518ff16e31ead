/** The promises of a Redis server of our own, which are also those of the test fixture. */
import { Redis } from 'ioredis';
import t from 'tap';
import { startRedis } from '../../fixtures/redis.ts';

t.test('keeps what was written through kill -9 when it syncs always', async (t) => {
  const server = await startRedis(t, { fsync: 'always' });
  const before = new Redis(server.url, { lazyConnect: true, retryStrategy: () => null });
  before.on('error', () => undefined);
  await before.set('kept', 'yes');
  await server.kill();
  await server.restart();
  const after = new Redis(server.url);
  t.teardown(() => after.disconnect());
  t.equal(await after.get('kept'), 'yes');
  before.disconnect();
});

t.test('refuses a client without the password and evicts nothing', async (t) => {
  const server = await startRedis(t);
  const stranger = new Redis({ port: server.port, retryStrategy: () => null });
  stranger.on('error', () => undefined);
  await t.rejects(stranger.get('x'), /NOAUTH/);
  stranger.disconnect();
  const client = new Redis(server.url);
  t.teardown(() => client.disconnect());
  t.strictSame(await client.config('GET', 'maxmemory-policy'), ['maxmemory-policy', 'noeviction']);
});

t.test('a frozen server answers nothing, and answers again once thawed', async (t) => {
  const server = await startRedis(t);
  const client = new Redis(server.url, { commandTimeout: 100, retryStrategy: () => null });
  client.on('error', () => undefined);
  t.teardown(() => client.disconnect());
  await client.ping();
  server.freeze();
  await t.rejects(client.ping(), /timed out/);
  server.thaw();
  const later = new Redis(server.url);
  t.teardown(() => later.disconnect());
  t.equal(await later.ping(), 'PONG');
});
