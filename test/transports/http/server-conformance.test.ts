/** What the installed build of uWebSockets.js does, so that another build cannot change it unseen. docs/decisions/http-server-build.md says why. */
import '../../fixtures/header-limit.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';
import { createHttpServer } from '../../../transports/http/server.ts';
import { systemClock } from '../../../transports/process/system-clock.ts';

const server = createHttpServer({
  listener: 'test',
  address: { host: '127.0.0.1', port: 0 },
  clock: systemClock,
  log: createMemoryLog(),
  metrics: createMemoryMetrics(),
});
let served: string[] = [];
server.route('POST', '/body', async (request) => {
  served.push(request.path);
  return { status: 200, body: await request.readBody() };
});
server.route('GET', '/next', () => {
  served.push('/next');
  return { status: 200, body: 'next' };
});
server.ws<object>('/socket', {
  messageBytes: 1024,
  bufferedBytes: 1024,
  idleSeconds: 60,
  upgrade: (_response, _head, _requestId, accept) => accept({}, ''),
  open: () => undefined,
  message: (socket, data, isBinary) => socket.send(new Uint8Array(data), isBinary),
  drain: () => undefined,
  close: () => undefined,
});
const port = await server.listen();
t.teardown(() => server.close(0));

const post = (lines: string, body: string) => `POST /body HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\n${body}`;
const next = 'GET /next HTTP/1.1\r\nHost: h\r\n\r\n';

/** Status codes of what came back within `patienceMs`, in order. */
async function exchange(pieces: readonly string[], patienceMs = 150): Promise<string> {
  served = [];
  const client = await connectRaw(t, port);
  for (const piece of pieces) {
    client.send(Buffer.from(piece, 'latin1'));
    if (pieces.length > 1) await sleep(5);
  }
  await Promise.race([client.ended, sleep(patienceMs)]);
  const codes = [...client.text().matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);
  client.close();
  return codes.join();
}

t.test('a head and a body in two packets, split anywhere behind the request line, are one request', async (t) => {
  const text = post('X-Long: zzzzzzzzzzzzzzzzzzzz\r\nContent-Length: 5', 'hello');
  for (let at = text.indexOf('\r\n') + 2; at < text.length; at += 1) {
    t.equal(await exchange([text.slice(0, at), text.slice(at)], 40), '200', `at ${at}`);
  }
});

t.test('requests in one packet are answered in order', async (t) => {
  t.equal(await exchange([post('Content-Length: 2', 'ab') + next]), '200,200');
});

t.test('a chunked body is taken however it is cut', async (t) => {
  const text = post('Transfer-Encoding: chunked', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');
  const start = text.indexOf('\r\n\r\n') + 4;
  for (let at = start; at < text.length; at += 1) {
    t.equal(await exchange([text.slice(0, at), text.slice(at)], 40), '200', `at ${at}`);
  }
});

t.test('lengths that cannot be read end the connection', async (t) => {
  for (const size of ['FFFFFFFFFFFFFFFFF', '10000000000000003', '-3', '0x3']) {
    const codes = await exchange([post('Transfer-Encoding: chunked', `${size}\r\nabc\r\n0\r\n\r\n`) + next]);
    t.equal(codes, '400', size);
    t.notOk(served.includes('/next'), size);
  }
});

t.test('what the build leaves without an answer serves nothing that follows', async (t) => {
  const heads = [
    'X-A: b\r\n c\r\nContent-Length: 3',
    'Content-Length : 3',
    'X-A: b\0c\r\nContent-Length: 3',
    'X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: 3',
    'No-Colon\r\nContent-Length: 3',
  ];
  for (const lines of heads) {
    t.equal(await exchange([post(lines, 'abc') + next], 60), '', JSON.stringify(lines));
    t.strictSame(served, []);
  }
  t.equal(await exchange([`GET /next HTTP/1.1\r\n\r\n${next}`], 60), '', 'no host');
  t.strictSame(served, []);
});

t.test('a header without a name hides the lines behind it, their length included', async (t) => {
  t.equal(await exchange([post(': x\r\nContent-Length: 3', '')], 60), '200');
});

t.test('what the build cannot do, although it is valid', async (t) => {
  t.equal(
    await exchange(['POST /bo', 'dy HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n']),
    '505',
    'a split request line',
  );
  t.equal(await exchange([post('Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n')]), '505', 'trailers');
  t.equal(await exchange([post('Transfer-Encoding: chunked', '3;a=b\r\nabc\r\n0\r\n\r\n')]), '', 'chunk extensions');
  t.equal(await exchange(['GET /next HTTP/1.0\r\nHost: h\r\n\r\n']), '505', 'HTTP/1.0');
});

t.test('a WebSocket handshake of another version is a 426 that names ours', async (t) => {
  const client = await connectRaw(t, port);
  client.send(
    'GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n',
  );
  const text = await client.until('\r\n\r\n');
  t.match(text, /^HTTP\/1\.1 426 /);
  t.match(text, /sec-websocket-version: 13/i);
});
