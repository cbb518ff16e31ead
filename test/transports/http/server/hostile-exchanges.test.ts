/** What ended the process, or was served although it must not be: each case leaves the listener alive and the answer well-formed. */
import '../../../fixtures/header-limit.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { STREAMED_BYTES } from '../../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../../fixtures/scripted-upstream.ts';
import { chunk, startGateway } from '../../../fixtures/test-gateway.ts';

const ROUTES = [
  {
    path: '/v1/audio/transcriptions',
    type: 'multipart/form-data; boundary=b',
    start:
      '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF',
  },
  {
    path: '/v1/chat/completions',
    type: 'application/json',
    start: `{"model":"m","messages":["${'a'.repeat(STREAMED_BYTES)}`,
  },
] as const;
const block = Buffer.alloc(20_000, 'a');

function headOf(route: (typeof ROUTES)[number], token: string, framing: string): string {
  return `POST ${route.path} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${route.type}\r\n${framing}\r\n\r\n`;
}

/** Not `reply`: the provider must not take what is left of the upload for its next request. */
function answerOf(status: number, body: string): string {
  return `HTTP/1.1 ${status} Early\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** Status, headers and body of the one answer in `text`. @throws when its framing is broken, or when bytes follow it */
function readAnswer(text: string): { status: number; headers: Map<string, string>; body: string } {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no head: ${text}`);
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const rest = text.slice(end + 4);
  const length = headers.get('content-length');
  if (length === undefined) throw new Error(`no length: ${text}`);
  if (rest.length !== Number(length)) throw new Error(`announced ${length}, sent ${rest.length}: ${text}`);
  return { status: Number(first.split(' ')[1]), headers, body: rest };
}

for (const route of ROUTES) {
  t.test(`${route.path}: a chunked upload of over 1 MB without a grant ends only itself`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const client = await connectRaw(t, gateway.port);
    client.send(headOf(route, 'unknown', 'Transfer-Encoding: chunked'));
    for (let sent = 0; sent < 3_000_000; sent += block.length) client.send(chunk(block));
    const answer = readAnswer(await client.ended);
    t.equal(answer.status, 401);
    t.equal(answer.headers.get('connection'), 'close');
    t.equal((await fetch(gateway.url)).status, 404);
    t.strictSame(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
  });

  t.test(`${route.path}: a provider that answers before the upload ends costs no more than that upload`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    for (const framing of ['Transfer-Encoding: chunked', 'Content-Length: 5000000']) {
      const client = await connectRaw(t, gateway.port);
      const framed = (bytes: Uint8Array | string) => (framing.startsWith('Transfer') ? chunk(bytes) : bytes);
      client.send(headOf(route, 'good', framing));
      client.send(framed(route.start));
      (await upstream.next()).send(answerOf(200, '{"text":"early"}'));
      await client.until('early');
      for (let sent = 0; sent < 1_000_000; sent += block.length) client.send(framed(block));
      await sleep(50);
      t.equal((await fetch(gateway.url)).status, 404);
    }
    t.equal((await gateway.reported(2)).length, 2);
    t.strictSame(
      gateway.log.filter(({ level }) => level === 'error'),
      [],
    );
  });

  t.test(`${route.path}: a late refusal is one whole answer, and the connection ends behind it`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    for (const framing of ['Transfer-Encoding: chunked', 'Content-Length: 40000000']) {
      const client = await connectRaw(t, gateway.port);
      client.send(headOf(route, 'good', framing));
      client.send(framing.startsWith('Transfer') ? chunk(route.start) : route.start);
      (await upstream.next()).send(answerOf(413, '{"error":{"message":"too large"}}'));
      const answer = readAnswer(await client.ended);
      t.equal(answer.status, 413);
      t.equal(answer.headers.get('connection'), 'close');
      t.type(JSON.parse(answer.body), 'object');
    }
  });
}

t.test('what follows a refused head in the same packet is never served', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const next = 'GET /v1/models HTTP/1.1\r\nHost: evil\r\nAuthorization: Bearer good\r\n\r\n';
  const chunked = '3\r\nabc\r\n0\r\n\r\n';
  const cases: readonly (readonly [name: string, lines: string, body: string])[] = [
    ['two equal lengths', 'Host: g\r\nContent-Length: 3\r\nContent-Length: 3', 'abc'],
    ['two lengths', 'Host: g\r\nContent-Length: 1\r\nContent-Length: 3', 'abc'],
    ['length in hexadecimal', 'Host: g\r\nContent-Length: 0x3', 'abc'],
    ['length as a list', 'Host: g\r\nContent-Length: 3, 3', 'abc'],
    ['length and chunked', 'Host: g\r\nContent-Length: 3\r\nTransfer-Encoding: chunked', chunked],
    ['another coding', 'Host: g\r\nTransfer-Encoding: xchunked', chunked],
    ['two codings', 'Host: g\r\nTransfer-Encoding: gzip, chunked', chunked],
    ['chunked twice', 'Host: g\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked', chunked],
    ['two hosts', 'Host: g\r\nHost: h\r\nContent-Length: 3', 'abc'],
    ['two tokens', 'Host: g\r\nAuthorization: Bearer good\r\nAuthorization: Bearer other\r\nContent-Length: 3', 'abc'],
    ['headers over 16 kB in one packet', `Host: g\r\nX-Long: ${'a'.repeat(20_000)}\r\nContent-Length: 3`, 'abc'],
  ];
  for (const path of ['/v1/chat/completions', '/nowhere', '/v1/models']) {
    for (const [name, lines, body] of cases) {
      const client = await connectRaw(t, gateway.port);
      client.send(`POST ${path} HTTP/1.1\r\n${lines}\r\n\r\n${body}${next}`);
      const text = await client.ended;
      t.notMatch(text, /HTTP\/1\.1 2\d\d/, `${path}, ${name}`);
      t.match(text, /^HTTP\/1\.1 4(00|31) /, `${path}, ${name}`);
      t.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, `${path}, ${name}: one answer`);
    }
  }
  t.equal(upstream.count, 0);
});

t.test('HEAD is answered wherever GET is, with the length and without a byte of the body', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send('HEAD /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer unknown\r\n\r\n');
  const text = await client.until('\r\n\r\n');
  t.match(text, /^HTTP\/1\.1 401 /);
  t.match(text, /content-length: [1-9]/i);
  await sleep(30);
  t.ok(client.text().endsWith('\r\n\r\n'));
});

t.test(
  'a client that asks on without reading its answers is cut, instead of having them all kept for it',
  async (t) => {
    let served = 0;
    const { port } = await startTestListener(t, (server) => {
      server.route('GET', '/large', () => {
        served += 1;
        return { status: 200, body: Buffer.alloc(100_000, 'l') };
      });
    });
    for (const method of ['GET', 'HEAD']) {
      served = 0;
      const client = await connectRaw(t, port);
      client.stopReading();
      const request = `${method} /large HTTP/1.1\r\nHost: h\r\n\r\n`;
      for (let sent = 0; sent < 2_000 && !client.isEnded(); sent += 1) {
        client.send(request);
        await sleep(0);
      }
      t.ok(served < 1_000, `${method}: ${served} of 2,000 answers made`);
      client.close();
    }
  },
);

t.test('an answer that does not fit into the socket arrives whole once the client reads', async (t) => {
  const body = Buffer.alloc(40_000_000, 'w');
  const { port } = await startTestListener(t, (server) => server.route('GET', '/', () => ({ status: 200, body })));
  const client = await connectRaw(t, port);
  client.stopReading();
  client.send('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await sleep(100);
  client.readOn();
  const { status, body: received } = readAnswer(await client.ended);
  t.equal(status, 200);
  t.equal(received.length, body.length);
});

t.test('an upgrade with a body is refused, and what follows it is never served', async (t) => {
  let served = 0;
  const { port } = await startTestListener(t, (server) => {
    server.route('GET', '/next', () => ({ status: 200, body: String((served += 1)) }));
    server.ws<object>('/socket', {
      ...{ messageBytes: 1024, bufferedBytes: 1024, idleSeconds: 60 },
      upgrade: (_response, _head, _requestId, accept) => accept({}, ''),
      open: () => undefined,
      message: () => undefined,
      drain: () => undefined,
      close: () => undefined,
    });
  });
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const client = await connectRaw(t, port);
    client.send(
      'GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${framing}\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n`,
    );
    t.match(await client.ended, /^HTTP\/1\.1 400 /);
  }
  t.equal(served, 0);
});

t.test('HEAD of a streamed answer gets no byte of the stream, and the connection serves on', async (t) => {
  const { port } = await startTestListener(t, (server) => {
    server.route('GET', '/stream', () => ({
      status: 200,
      stream: (async function* () {
        yield 'never to be sent';
      })(),
    }));
    server.route('GET', '/next', () => ({ status: 200, body: 'next' }));
  });
  const client = await connectRaw(t, port);
  client.send('HEAD /stream HTTP/1.1\r\nHost: g\r\n\r\n');
  t.notMatch(await client.until('\r\n\r\n'), /content-length/i, 'it is not known');
  client.send('GET /next HTTP/1.1\r\nHost: g\r\n\r\n');
  const text = await client.until('\r\n\r\nnext');
  t.notOk(text.includes('never'));
  t.equal(text.split('HTTP/1.1 200 OK').length, 3);
});

t.test('204 announces no length', async (t) => {
  const { port } = await startTestListener(t, (server) => server.route('GET', '/', () => ({ status: 204 })));
  const client = await connectRaw(t, port);
  client.send('GET / HTTP/1.1\r\nHost: g\r\n\r\n');
  t.notMatch(await client.until('\r\n\r\n'), /content-length/i);
});

for (const route of ROUTES) {
  t.test(`${route.path}: what our own code throws while the provider answers costs that request alone`, async (t) => {
    const upstream = await startScriptedUpstream(t);
    const gateway = await startGateway(t, { providers: { main: upstream.url } });
    const observe = gateway.metrics.observe.bind(gateway.metrics);
    gateway.metrics.observe = (name, labels, value) => {
      if (name === 'vello_gateway_ttft_seconds') throw new Error('planted');
      observe(name, labels, value);
    };
    const body = route.path.endsWith('completions') ? `${route.start}"]}` : `${route.start}\r\n--b--\r\n`;
    const send = async () => {
      const client = await connectRaw(t, gateway.port);
      client.send(headOf(route, 'good', `Content-Length: ${body.length}`) + body);
      (await upstream.next()).reply(200, { 'content-type': 'application/json' }, '{"text":"fine"}');
      return client.until('}');
    };
    t.match(await send(), /^HTTP\/1\.1 500 /);
    gateway.metrics.observe = observe;
    t.match(await send(), /^HTTP\/1\.1 200 /);
    t.strictSame(
      (await gateway.reported(2)).map(({ outcome }) => outcome),
      ['upstream_error', 'ok'],
    );
    t.match(
      gateway.log.find(({ level }) => level === 'error'),
      { message: 'an exchange failed', fields: { error: { message: 'planted' } } },
    );
  });
}

t.test('what throws in the turn in which a request came is answered', async (t) => {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const observe = gateway.metrics.observe.bind(gateway.metrics);
  gateway.metrics.observe = (name, labels, value) => {
    if (name === 'vello_gateway_overhead_seconds') throw new Error('planted');
    observe(name, labels, value);
  };
  const client = await connectRaw(t, gateway.port);
  client.send('GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n');
  t.match(await client.until('}'), /^HTTP\/1\.1 500 /);
  t.match(
    gateway.log.find(({ level }) => level === 'error'),
    { message: 'an exchange failed', fields: { error: { message: 'planted' } } },
  );
});
