import { createServer } from 'node:net';
import t from 'tap';
import { startVello } from '../fixtures/vello-process.ts';

const args = ['--roles', 'api'];

t.test('an address in use is one clear message, and nothing is started', async (t) => {
  const squatter = createServer().listen({ host: '127.0.0.1', port: 0 });
  await new Promise((resolve) => squatter.once('listening', resolve));
  t.teardown(() => squatter.close());
  const { port } = squatter.address() as { port: number };
  const vello = await startVello(t, args, { environment: { VELLO_API_LISTEN: `127.0.0.1:${port}` } });
  t.equal(await vello.ended, 1);
  t.match(vello.output(), new RegExp(`127\\.0\\.0\\.1:${port} \\(VELLO_API_LISTEN\\) is in use`));
  t.notMatch(vello.output(), /started|\n\s+at /);
  t.strictSame(vello.programs(), []);
});

t.test('a database that cannot be reached is one clear message, and nothing is left running', async (t) => {
  const vello = await startVello(t, args, {
    environment: { VELLO_DATABASE_URL: 'postgres://someone:hush-hush@127.0.0.1:1/nothing' },
  });
  t.equal(await vello.ended, 1);
  t.match(vello.output(), /127\.0\.0\.1:1\/nothing cannot be reached.*VELLO_DATABASE_URL/s);
  t.notMatch(vello.output(), /hush-hush|\n\s+at /);
  t.strictSame(vello.programs(), []);
});

t.test('wrong settings are told all at once, with exit code 2', async (t) => {
  const vello = await startVello(t, args, { environment: { VELLO_API_LISTEN: 'nowhere', VELLO_NO_SUCH: '1' } });
  t.equal(await vello.ended, 2);
  t.match(vello.output(), /VELLO_API_LISTEN: expected host:port.*VELLO_NO_SUCH: no such setting/s);
});
