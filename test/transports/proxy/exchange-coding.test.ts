import { setImmediate } from 'node:timers/promises';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { connectRaw } from '../../fixtures/raw-client.ts';
import { BOTH_ROUTES, type RelayRouteUnderTest } from '../../fixtures/relay-routes.ts';
import { startScriptedUpstream } from '../../fixtures/scripted-upstream.ts';
import { chunk, PROVIDER_KEY, startGateway } from '../../fixtures/test-gateway.ts';

async function ask(t: Test, route: RelayRouteUnderTest) {
  const upstream = await startScriptedUpstream(t);
  const gateway = await startGateway(t, { providers: { main: upstream.url } });
  const client = await connectRaw(t, gateway.port);
  client.send(route.head(route.body.length, ['Accept-Encoding: gzip, br']));
  client.send(route.body);
  const request = await upstream.next();
  await request.whole();
  return { gateway, client, request };
}

const events = [
  `data: {"type":"transcript.text.delta","choices":[{"delta":{"content":"${PROVIDER_KEY}"}}]}\n\n`,
  'data: {"type":"transcript.text.done","text":"words","choices":[{"delta":{}}],"usage":{"type":"duration","seconds":9,"prompt_tokens":90000}}\n\n',
  'data: [DONE]\n\n',
];
const json = '{"text":"words","choices":[],"usage":{"type":"duration","seconds":9,"prompt_tokens":90000}}';
const counted = {
  transcribe: { audioSeconds: 9, audioSource: 'usage' },
  process: { usage: { prompt_tokens: 90_000 } },
};
const CODINGS = {
  gzip: gzipSync,
  'x-gzip': gzipSync,
  br: brotliCompressSync,
  deflate: deflateSync,
  Deflate: deflateRawSync,
} as const;

for (const route of BOTH_ROUTES) {
  for (const [coding, code] of Object.entries(CODINGS)) {
    t.test(
      `${route.name}: an answer that the provider codes (${coding}) is metered, and free of the key`,
      async (t) => {
        for (const [type, body] of [
          ['application/json', json],
          ['text/event-stream', events.join('')],
        ] as const) {
          const { gateway, client, request } = await ask(t, route);
          t.equal(request.header('accept-encoding'), 'identity');
          request.reply(200, { 'content-type': type, 'content-encoding': coding }, code(body));
          const answer = await client.until('\r\n0\r\n\r\n');
          t.match(answer, '90000');
          t.notMatch(answer, /content-encoding/i);
          t.notOk(answer.includes(PROVIDER_KEY));
          t.match(await gateway.reported(1), [{ outcome: 'ok', ...counted[route.type] }]);
        }
      },
    );
  }

  t.test(`${route.name}: each piece of a coded stream reaches the client when it is sent`, async (t) => {
    const { gateway, client, request } = await ask(t, route);
    request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n');
    request.send('Transfer-Encoding: chunked\r\n\r\n');
    // Members of a gzip file may follow one another (RFC 1952 §2.2).
    for (const [index, mark] of ['delta', '90000', '[DONE]'].entries()) {
      request.send(chunk(gzipSync(events[index] ?? '')));
      await client.until(mark);
    }
    request.send('0\r\n\r\n');
    await client.until('\r\n0\r\n\r\n');
    t.match(await gateway.reported(1), [{ outcome: 'ok', ...counted[route.type] }]);
  });

  t.test(`${route.name}: a refusal that is coded reaches the client in its words`, async (t) => {
    const { gateway, client, request } = await ask(t, route);
    const body = gzipSync('{"error":{"message":"The temperature is too high."}}');
    request.reply(400, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body);
    t.match(await client.until('temperature'), /^HTTP\/1\.1 400 /);
    t.match(await gateway.reported(1), [{ outcome: 'ok', status: 400 }]);
  });

  t.test(`${route.name}: a coded answer that breaks off or is damaged is never taken for a complete one`, async (t) => {
    const whole = gzipSync(json + ' '.repeat(100_000));
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 20, 60);
    for (const body of [whole.subarray(0, -20), damaged, Buffer.from('not gzip at all')]) {
      const { gateway, client, request } = await ask(t, route);
      request.reply(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body);
      const [event] = await gateway.reported(1);
      t.match(event?.outcome, /^(truncated|upstream_error)$/);
      if (event?.outcome === 'truncated') t.notMatch(await client.ended, /\r\n0\r\n\r\n$/);
      else t.match(await client.until('UPSTREAM_FAILED'), /^HTTP\/1\.1 502 /);
    }
  });

  t.test(`${route.name}: an answer that unfolds beyond measure is cut, and the next request is served`, async (t) => {
    const { gateway, client, request } = await ask(t, route);
    const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    request.reply(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }, bomb);
    t.notMatch(await client.ended, /\r\n0\r\n\r\n$/);
    const [event] = await gateway.reported(1);
    t.match(event, { outcome: 'truncated' });
    t.ok((event?.bytesOut ?? 0) < 6 * 1024 * 1024, `${event?.bytesOut} bytes`);
    const next = await connectRaw(t, gateway.port);
    next.send('GET /v1/models HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n');
    await next.until('HTTP/1.1 401');
  });

  t.test(`${route.name}: a coding that nobody asked for and nobody here knows is a 502`, async (t) => {
    for (const coding of ['zstd', 'gzip, br']) {
      const { gateway, client, request } = await ask(t, route);
      request.reply(200, { 'content-type': 'application/json', 'content-encoding': coding }, 'coded');
      t.match(await client.until('UPSTREAM_FAILED'), /^HTTP\/1\.1 502 /);
      t.match(await gateway.reported(1), [{ outcome: 'upstream_error', status: 502 }]);
    }
  });

  t.test(`${route.name}: a client that leaves a coded answer ends it within a second`, async (t) => {
    const { gateway, client, request } = await ask(t, route);
    request.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n');
    request.send('Transfer-Encoding: chunked\r\n\r\n');
    request.send(chunk(gzipSync(events[0] ?? '')));
    await client.until('delta');
    client.close();
    if (route.type === 'process') await request.closed;
    else request.send(Buffer.concat([chunk(gzipSync(events[1] ?? '')), Buffer.from('0\r\n\r\n')]));
    t.match(await gateway.reported(1), [{ outcome: 'client_abort', status: 200 }]);
    if (route.type === 'transcribe') t.match(gateway.events, [{ result: 'words', audioSeconds: 9 }]);
  });
}

t.test('a coded answer waits at its provider, and not here, for a client that does not read', async (t) => {
  const coded = gzipSync(Buffer.alloc(8 * 1024 * 1024, randomBytes(600).toString('hex')), { level: 1 });
  const body = Buffer.alloc(coded.length * Math.ceil(48e6 / coded.length), coded);
  const head = `HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
  let isTaken = false;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    t.teardown(() => void socket.destroy());
    socket.once('data', () => {
      socket.write(head);
      socket.write(body, () => (isTaken = true));
    });
  }).listen(0, '127.0.0.1');
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const gateway = await startGateway(t, { providers: { main: `http://127.0.0.1:${port}` } });
  const client = await connectRaw(t, gateway.port);
  const request = '{"model":"m","input":"x"}';
  client.send('POST /v1/audio/speech HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n');
  client.send(`Content-Type: application/json\r\nContent-Length: ${request.length}\r\n\r\n${request}`);
  while (client.receivedBytes < 10_000_000) await setImmediate();
  t.notOk(isTaken);
  client.reset();
  t.match(await gateway.reported(1), [{ outcome: 'client_abort' }]);
});
