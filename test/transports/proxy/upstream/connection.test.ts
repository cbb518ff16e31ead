/** What leaves over several connections at once: all write from the same memory, and a caller's is his own again at once. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { systemClock } from '../../../../transports/process/system-clock.ts';
import { createUpstreamPool } from '../../../../transports/proxy/upstream/upstream-pool.ts';
import { makeCertificate } from '../../../fixtures/certificate.ts';
import { recordCall, type RecordedCall } from '../../../fixtures/recorded-call.ts';

const digestOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const certificate = makeCertificate({ name: 'provider', addresses: ['127.0.0.1'] });

/** A provider that answers with the digest of the body, which it begins to read when told. */
async function startDigesting(
  t: Test,
  scheme: 'http' | 'https' = 'http',
  readAfter: () => Promise<unknown> = () => Promise.resolve(),
) {
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const hash = createHash('sha256');
    void readAfter().then(() => request.on('data', (bytes: Buffer) => hash.update(bytes)));
    request.on('end', () => response.end(hash.digest('hex')));
  };
  const { cert, key } = certificate;
  const server = scheme === 'http' ? createServer(answer) : createTlsServer({ cert, key }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = createUpstreamPool(url, { clock: systemClock, headers: [], ca: cert });
  t.teardown(() => pool.destroy());
  return pool;
}

/** Writes it in pieces, each of which is made unreadable as soon as it was handed over. */
async function send(call: RecordedCall, body: Uint8Array, pieceBytes: number): Promise<void> {
  await call.until('wanted');
  for (let from = 0; from < body.length; from += pieceBytes) {
    const piece = Buffer.from(body.subarray(from, from + pieceBytes));
    const isLast = from + pieceBytes >= body.length;
    const hasRoom = call.write(piece, isLast);
    piece.fill('#');
    if (!hasRoom && !isLast) await call.until('wanted');
  }
}

for (const scheme of ['http', 'https'] as const) {
  for (const contentLength of ['announced', 'chunked'] as const) {
    t.test(
      `bodies arrive as they were, however they are cut, and whatever becomes of the memory (${scheme}, ${contentLength})`,
      async (t) => {
        const pool = await startDigesting(t, scheme);
        const play = async (bytes: number, pieceBytes: number) => {
          const body = randomBytes(bytes);
          const call = recordCall(pool, { contentLength: contentLength === 'chunked' ? undefined : bytes });
          await send(call, body, pieceBytes);
          await call.until('end');
          t.equal(call.body(), digestOf(body), `${bytes} bytes in pieces of ${pieceBytes}`);
        };
        // Around the size of the memory that is written from; those of all sizes at once.
        for (const parts of [1, 2, 7]) {
          const sizes = [1, 1_000, 32_700, 65_300, 65_400, 65_536, 65_537, 131_072, 1_000_003];
          await Promise.all(sizes.map((bytes) => play(bytes, Math.ceil(bytes / parts))));
        }
      },
    );
  }
}

t.test('bodies that wait for slow providers are not written over by those of others', async (t) => {
  let read = (): void => undefined;
  const mayRead = new Promise<void>((resolve) => (read = resolve));
  const slow = await startDigesting(t, 'http', () => mayRead);
  const quick = await startDigesting(t);
  const bodies = Array.from({ length: 6 }, () => randomBytes(12_000_000));
  const calls = bodies.map(() => recordCall(slow, { contentLength: 12_000_000 }));
  const sent = Promise.all(calls.map((call, at) => send(call, bodies[at] ?? Buffer.alloc(0), 1 + randomInt(300_000))));
  for (let round = 0; round < 50; round += 1) {
    const body = randomBytes(1 + randomInt(100_000));
    const call = recordCall(quick, { contentLength: body.length });
    await send(call, body, body.length);
    await call.until('end');
    t.equal(call.body(), digestOf(body));
  }
  read();
  await sent;
  for (const [at, call] of calls.entries()) {
    await call.until('end');
    t.equal(call.body(), digestOf(bodies[at] ?? Buffer.alloc(0)));
  }
});

t.test('a head that is longer than the memory arrives whole', async (t) => {
  const server = createServer({ maxHeaderSize: 200_000 }, (request, response) => {
    request.resume().on('end', () => response.end(String(request.headers['x-long']?.length)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = createUpstreamPool(url, { clock: systemClock, headers: [] });
  t.teardown(() => pool.destroy());
  const call = recordCall(pool, { headers: `x-long: ${'h'.repeat(100_000)}\r\n`, body: 'x' });
  await call.until('end');
  t.equal(call.body(), '100000');
});

/** In a thread of its own, so that it acts while a body is being written: answers the first request of each connection, and breaks off at the head of the next. */
const BREAKS_OFF = `
  const { parentPort } = require('node:worker_threads');
  const heads = [];
  const server = require('node:net').createServer({ noDelay: true }, (socket) => {
    let requests = 0;
    socket.on('error', () => undefined).on('data', (bytes) => {
      const path = /^POST (\\S+)/.exec(bytes.toString('latin1'))?.[1];
      if (path !== undefined) heads.push(path);
      requests += path === undefined ? 0 : 1;
      if (requests === 1) socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n');
      else socket.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  parentPort.on('message', () => parentPort.postMessage(heads));`;

t.test('what a provider may have begun to read is not sent again, also where it breaks off in between', async (t) => {
  const provider = new Worker(BREAKS_OFF, { eval: true });
  t.teardown(() => provider.terminate());
  const [port] = (await once(provider, 'message')) as [number];
  const pool = createUpstreamPool(`http://127.0.0.1:${port}`, { clock: systemClock, headers: [] });
  t.teardown(() => pool.destroy());
  for (let round = 0; round < 30; round += 1) {
    await recordCall(pool, { path: `/first/${round}`, body: 'x' }).until('end');
    const call = recordCall(pool, { path: `/large/${round}`, contentLength: 2_000_000 });
    await send(call, Buffer.alloc(2_000_000), 2_000_000);
    await call.until('failed');
    t.equal(call.failure?.reason, 'broken');
  }
  provider.postMessage('?');
  const [heads] = (await once(provider, 'message')) as [string[]];
  t.equal(heads.length, 60);
  t.equal(new Set(heads).size, 60);
});
