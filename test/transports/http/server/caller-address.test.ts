/** Who a caller is behind a proxy: read once for every kind of route, and refused where the proxy names nobody. */
import t from 'tap';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import type { HttpServer } from '../../../../transports/http/server/server.ts';
import { writeWhole } from '../../../../transports/http/server/write-reply.ts';

function addRoutes(server: HttpServer): void {
  server.route('GET', '/handled', ({ remoteAddress }) => ({ status: 200, body: remoteAddress }));
  server.raw('GET', '/raw', (response, head, requestId) =>
    writeWhole(response, requestId, { status: 200, body: head.remoteAddress() }),
  );
  server.ws<object>('/socket', {
    messageBytes: 1024,
    bufferedBytes: 1024,
    idleSeconds: 60,
    upgrade: (response, head, requestId) =>
      writeWhole(response, requestId, { status: 200, body: head.remoteAddress() }),
    open: () => undefined,
    message: () => undefined,
    drain: () => undefined,
    close: () => undefined,
  });
}

const UPGRADE =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const ROUTES = { '/handled': '', '/raw': '', '/socket': UPGRADE };

async function ask(t: Parameters<typeof connectRaw>[0], port: number, path: string, lines: string) {
  const client = await connectRaw(t, port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${lines}\r\n`);
  const text = await client.ended;
  return { status: Number(text.slice(9, 12)), body: text.slice(text.indexOf('\r\n\r\n') + 4).trim() };
}

t.test('behind a proxy the caller is the last entry of X-Forwarded-For, on every kind of route', async (t) => {
  const { port } = await startTestListener(t, addRoutes, { trustProxy: true });
  const named = {
    'X-Forwarded-For: 203.0.113.7': '203.0.113.7',
    'X-Forwarded-For: 198.51.100.1, nonsense , 203.0.113.7:4711': '203.0.113.7',
    'X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 2001:db8:0:1::99': '2001:db8:0:1::/64',
    'X-Other: 1': '127.0.0.1',
  };
  for (const [path, upgrade] of Object.entries(ROUTES)) {
    for (const [lines, body] of Object.entries(named)) {
      t.strictSame(await ask(t, port, path, `${upgrade}${lines}\r\n`), { status: 200, body }, `${path}, ${lines}`);
    }
  }
});

t.test('an entry that is no address is refused, on every kind of route and where there is none', async (t) => {
  const { port } = await startTestListener(t, addRoutes, { trustProxy: true });
  for (const [path, upgrade] of Object.entries({ ...ROUTES, '/nowhere': '' })) {
    for (const entry of ['unknown', '', '203.0.113.7,', '203.0.113.7, _hidden', '1.2.3', '2001:db8::1::2']) {
      const { status, body } = await ask(t, port, path, `${upgrade}X-Forwarded-For: ${entry}\r\n`);
      t.equal(status, 400, `${path}, ${entry}`);
      t.match(JSON.parse(body), { code: 'BAD_REQUEST' });
    }
  }
});

t.test('without a proxy nobody can name himself', async (t) => {
  const { port } = await startTestListener(t, addRoutes);
  for (const [path, upgrade] of Object.entries(ROUTES)) {
    for (const entry of ['203.0.113.7', 'unknown']) {
      const answer = await ask(t, port, path, `${upgrade}X-Forwarded-For: ${entry}\r\n`);
      t.strictSame(answer, { status: 200, body: '127.0.0.1' }, `${path}, ${entry}`);
    }
  }
});
