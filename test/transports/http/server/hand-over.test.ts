/** Processes that follow each other on one address: they share it, and the one that leaves says so on every connection that it still has. */
import { once } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import { createHttpServer, type HttpServer } from '../../../../transports/http/server/server.ts';
import { realClock, startTestListener } from '../../../fixtures/api-listener.ts';
import { freePort } from '../../../fixtures/free-port.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';
import type { Teardown } from '../../../fixtures/temporary-folder.ts';

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`;

const define = (server: HttpServer) => {
  server.route('GET', '/whole', () => ({ status: 200, body: 'whole answer' }));
  server.route('GET', '/stream', () => ({
    status: 200,
    stream: (async function* pieces() {
      yield 'streamed answer';
    })(),
  }));
  server.ws('/socket', {
    ...{ messageBytes: 100, bufferedBytes: 100, idleSeconds: 60 },
    upgrade: (_response, _head, _requestId, accept) => accept({}, ''),
    ...{ open: () => undefined, message: () => undefined, drain: () => undefined, close: () => undefined },
  });
};

t.test('a server that leaves serves whoever is connected, once more each, and tells when nobody is', async (t) => {
  const { server, port } = await startTestListener(t, define);
  const clients = [];
  for (const [path, last] of [
    ['/whole', 'whole answer'],
    ['/stream', 'streamed answer\r\n0\r\n\r\n'],
    ['/nowhere', '"code":"NOT_FOUND"'],
  ] as const) {
    const client = await connectRaw(t, port);
    client.send(request(path));
    const first = await client.until(last);
    t.notMatch(first, /connection: close/i, 'nobody is sent away before');
    t.equal(first.match(/^keep-alive: timeout=7\r$/gim)?.length, 1, 'but told until when the connection is good');
    clients.push({ client, path, last, before: client.receivedBytes });
  }
  let isDeserted = false;
  await server.stopAccepting();
  const deserted = server.deserted(60_000).then(() => (isDeserted = true));
  await t.rejects(connectRaw(t, port), { code: 'ECONNREFUSED' });
  for (const { client, path, last, before } of clients) {
    client.send(request(path));
    while (!client.text().slice(before).includes(last)) await new Promise((resolve) => setImmediate(resolve));
    t.equal(
      client
        .text()
        .slice(before)
        .match(/^connection: close\r$/gim)?.length,
      1,
      path,
    );
    t.notMatch(client.text().slice(before), /^keep-alive:/im);
    t.notOk(isDeserted);
    client.close();
  }
  await deserted;
});

t.test('whoever says nothing is waited for, but not for ever; an open WebSocket brings no request', async (t) => {
  const { server, port } = await startTestListener(t, define);
  const silent = await connectRaw(t, port);
  silent.send(request('/whole'));
  await silent.until('whole answer');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  await server.stopAccepting();
  const startedAt = performance.now();
  await server.deserted(100);
  t.ok(performance.now() - startedAt >= 99);
  t.notOk(silent.isEnded());
  silent.close();
  await server.deserted(60_000);
  await server.deserted(60_000);
  t.equal(socket.readyState, WebSocket.OPEN);
});

t.test('servers that share their port get connections each, and a stranger does not get among them', async (t) => {
  const port = await freePort();
  const first = await listen(t, port, true);
  const second = await listen(t, port, true);
  await t.rejects(listen(t, port, false), { code: 'PORT_IN_USE' });
  // The kernel draws: that one of two gets none of forty is one case in 10^12.
  const served = new Set<string>();
  for (let n = 0; n < 40; n += 1) served.add(await (await fetch(`http://127.0.0.1:${port}/`, oneRequest)).text());
  t.strictSame([...served].sort(), ['1', '2']);
  await first.stopAccepting();
  for (let n = 0; n < 5; n += 1) t.equal(await (await fetch(`http://127.0.0.1:${port}/`, oneRequest)).text(), '2');
  await second.stopAccepting();
});

const oneRequest = { headers: { connection: 'close' } };
let named = 0;

async function listen(t: Teardown, port: number, sharesPort: boolean): Promise<HttpServer> {
  const server = createHttpServer({
    ...{ listener: 'test', address: { host: '127.0.0.1', port }, sharesPort },
    ...{ clock: realClock, log: createMemoryLog(), metrics: createMemoryMetrics() },
  });
  const name = String((named += 1));
  server.route('GET', '/', () => ({ status: 200, body: name }));
  t.teardown(() => server.close(0));
  await server.listen();
  return server;
}
