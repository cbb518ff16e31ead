/** The listener's promises, over real sockets. */
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { VelloError } from '../../../../config/errors.ts';
import { createHttpServer } from '../../../../transports/http/server/server.ts';
import { realClock, startTestListener } from '../../../fixtures/api-listener.ts';
import { createMemoryLog, createMemoryMetrics } from '../../../fixtures/silent.ts';

/** Sends raw bytes and returns all that comes back until the peer closes. */
function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('close', () => resolve(received));
    socket.on('error', reject);
  });
}

t.test('hands parameters, query, headers and the whole body to the handler', async (t) => {
  const { base } = await startTestListener(t, (server) =>
    server.route('POST', '/things/:id/parts/:part', async (request) => ({
      status: 201,
      body: {
        params: request.params,
        q: request.query.get('q'),
        header: request.header('X-Thing'),
        body: (await request.readBody()).toString(),
        from: request.remoteAddress,
      },
    })),
  );
  const response = await fetch(`${base}/things/a%20b/parts/7?q=x%26y`, {
    method: 'POST',
    headers: { 'x-thing': 'yes' },
    body: 'hello',
  });
  t.equal(response.status, 201);
  t.match(response.headers.get('x-request-id'), /^[0-9a-f-]{36}$/);
  t.same(await response.json(), {
    params: { id: 'a b', part: '7' },
    q: 'x&y',
    header: 'yes',
    body: 'hello',
    from: '127.0.0.1',
  });
});

t.test(
  'answers errors as problem documents, in OpenAI shape on /v1, and never shows what was not meant to be shown',
  async (t) => {
    const { base, log } = await startTestListener(t, (server) => {
      server.route('GET', '/limited', () => {
        throw new VelloError('RATE_LIMITED', 'Slow down.', { retryAfterMs: 1500 });
      });
      server.route('GET', '/broken', () => {
        throw new Error('secret at 10.0.0.1');
      });
      server.route('GET', '/v1/broken', () => {
        throw new VelloError('UNAVAILABLE', 'Busy.');
      });
    });
    const limited = await fetch(`${base}/limited`);
    t.equal(limited.status, 429);
    t.equal(limited.headers.get('retry-after'), '2');
    t.equal(limited.headers.get('content-type'), 'application/problem+json');
    t.match(await limited.json(), { code: 'RATE_LIMITED', status: 429, detail: 'Slow down.', request_id: /-/ });
    const broken = await fetch(`${base}/broken`);
    t.equal(broken.status, 500);
    t.notMatch(await broken.text(), /secret|10\.0\.0\.1/);
    t.ok(log.lines.some((line) => line.level === 'error'));
    const openai = await fetch(`${base}/v1/broken`);
    t.match(await openai.json(), { error: { message: 'Busy.', code: 'UNAVAILABLE', type: 'server_error' } });
    t.equal((await fetch(`${base}/nowhere`)).status, 404);
    const wrongMethod = await fetch(`${base}/limited`, { method: 'DELETE' });
    t.equal(wrongMethod.status, 405);
    t.equal(wrongMethod.headers.get('allow'), 'GET, HEAD');
  },
);

t.test('refuses a body over the limit, announced or chunked', async (t) => {
  const { base } = await startTestListener(t, (server) =>
    server.route('POST', '/small', async (request) => ({ status: 200, body: await request.readBody() }), {
      maxBytes: 10,
    }),
  );
  t.equal((await fetch(`${base}/small`, { method: 'POST', body: '0123456789' })).status, 200);
  t.equal((await fetch(`${base}/small`, { method: 'POST', body: '0123456789x' })).status, 413);
  const stream = new Blob(['01234', '56789', 'x']).stream();
  const init = { method: 'POST', body: stream, duplex: 'half' };
  t.equal((await fetch(`${base}/small`, init as RequestInit)).status, 413);
});

t.test('refuses framing that two servers could read differently', async (t) => {
  const { port } = await startTestListener(t, (server) => server.route('POST', '/x', () => ({ status: 200 })));
  for (const headers of ['Content-Length: 3\r\nContent-Length: 5', 'Transfer-Encoding: gzip, chunked']) {
    const body = headers.includes('chunked') ? '0\r\n\r\n' : 'abcde';
    const received = await sendRaw(
      port,
      `POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n\r\n${body}`,
    );
    t.match(received, /^HTTP\/1\.1 400/);
  }
});

t.test('streams with backpressure and stops the source when the client goes away', async (t) => {
  let produced = 0;
  let returned = false;
  const { port, server } = await startTestListener(t, (server) =>
    server.route('GET', '/endless', () => ({
      status: 200,
      stream: (async function* () {
        try {
          for (;;) {
            produced += 1;
            yield Buffer.alloc(64 * 1024);
            await wait(0);
          }
        } finally {
          returned = true;
        }
      })(),
    })),
  );
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n'));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  let before = -1;
  // The kernel's buffers fill, then the producer must stand still although nobody told it to.
  while (before !== produced) {
    before = produced;
    await wait(100);
  }
  t.ok(produced < 1000, `stood still after ${produced} chunks`);
  socket.destroy();
  await server.close(5000);
  t.ok(returned);
});

t.test('says that a port is in use instead of sharing it', async (t) => {
  const { port } = await startTestListener(t, () => undefined);
  const second = createHttpServer({
    listener: 'second',
    address: { host: '127.0.0.1', port },
    clock: realClock,
    log: createMemoryLog(),
    metrics: createMemoryMetrics(),
  });
  await t.rejects(second.listen(), { code: 'PORT_IN_USE' });
});
