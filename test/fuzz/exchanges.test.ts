/**
 * Exchanges through the relay with faults of client and provider mixed, on both kinds of route: the process lives, every admitted request
 * reports exactly one event, no callback fails, nothing stays behind. `npm run fuzz -- --minutes 10` runs it for longer.
 */
import '../fixtures/header-limit.ts';
import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { v7 } from 'uuid';
import { chanceFrom, fuzzDeadline, fuzzMs, fuzzSeed, type Chance } from '../fixtures/fuzz-run.ts';
import type { Teardown } from '../fixtures/temporary-folder.ts';
import { startGateway } from '../fixtures/test-gateway.ts';

const AT_ONCE = 8;

const bomb = gzipSync(Buffer.alloc(8_000_000));

const ANSWERS = {
  whole: (socket: Socket) =>
    socket.write(
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"text":"whole"}'.slice(0, -1),
    ),
  chunked: async (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
    for (let event = 0; event < 5; event += 1) {
      await sleep(3);
      socket.write('10\r\ndata: {"a":"b"}\n\n\r\n'.replace('10', (17).toString(16)));
    }
    socket.write('0\r\n\r\n');
  },
  account: async (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
    const stream =
      'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[],"usage":{"a":1}}\n\ndata: [DONE]\n\n';
    for (let at = 0; at < stream.length; at += 7) {
      await sleep(1);
      const piece = stream.slice(at, at + 7);
      socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    }
    socket.write('0\r\n\r\n');
  },
  coded: (socket: Socket) => {
    const body = gzipSync('{"text":"coded"}');
    socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.write(body);
  },
  codedCut: (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9000\r\n\r\n');
    socket.write(gzipSync('x'.repeat(9_000)));
    setTimeout(() => socket.destroy(), 5);
  },
  bomb: (socket: Socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`);
    socket.write(bomb);
  },
  cut: (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"text":"');
    setTimeout(() => socket.destroy(), 5);
  },
  chunkedCut: (socket: Socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab');
    setTimeout(() => socket.resetAndDestroy(), 5);
  },
  garbage: (socket: Socket) => socket.end('\x00\x01 no http\r\n\r\n'),
  refusal: (socket: Socket) =>
    socket.write(
      'HTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}',
    ),
  hugeRefusal: (socket: Socket) =>
    socket.write(`HTTP/1.1 500 Bad\r\ncontent-length: 100000\r\n\r\n${'e'.repeat(100_000)}`),
  large: (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n${'l'.repeat(3_000_000)}`),
  empty: (socket: Socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
  interim: (socket: Socket) => socket.write('HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'),
  untilEnd: (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"text":"eof"}'),
  close: (socket: Socket) => socket.destroy(),
  reset: (socket: Socket) => socket.resetAndDestroy(),
  silence: (socket: Socket) => setTimeout(() => socket.destroy(), 300),
} as const;
type Answer = keyof typeof ANSWERS;
const ANSWER_NAMES = Object.keys(ANSWERS) as Answer[];

/** Answers as the request's `Idempotency-Key` says: `<answer>.<early|late>`. */
async function startFaultyProvider(t: Teardown): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    let held = '';
    let isAnswering = false;
    socket.on('data', (data) => {
      held = (held + data.toString('latin1')).slice(-20_000_000);
      const [, answer = '', when = ''] = /idempotency-key: (\w+)\.(\w+)\./i.exec(held) ?? [];
      const isWhole = isBodyWhole(held);
      if (isAnswering || !held.includes('\r\n\r\n') || !(answer in ANSWERS) || (when === 'late' && !isWhole)) return;
      isAnswering = true;
      Promise.resolve(ANSWERS[answer as Answer](socket)).catch(() => undefined);
      // A connection whose request was answered early cannot be told from the next one: it serves once.
      if (!isWhole) socket.once('data', () => undefined);
      else {
        held = '';
        isAnswering = false;
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function isBodyWhole(held: string): boolean {
  const end = held.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = /content-length: (\d+)/i.exec(held.slice(0, end))?.[1];
  return length === undefined ? held.endsWith('0\r\n\r\n') : held.length - end - 4 >= Number(length);
}

/** One client from one seed. Resolves when its connection is gone. */
async function playClient(port: number, session: string, chance: Chance): Promise<void> {
  const isAudio = chance.next() < 0.5;
  const size = chance.pick([0, 10, 3_000, 70_000, 300_000, 1_500_000]);
  const body = isAudio
    ? Buffer.concat([
        Buffer.from(
          `--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`,
        ),
        Buffer.alloc(size, 'x'),
        Buffer.from('\r\n--b--\r\n'),
      ])
    : Buffer.from(
        `{"model":"m"${chance.next() < 0.5 ? ',"stream":true' : ''},"messages":[{"role":"user","content":"${'y'.repeat(size)}"}]}`,
      );
  const isChunked = chance.next() < 0.5;
  const token = chance.next() < 0.9 ? 'good' : 'unknown';
  const key = `${chance.pick(ANSWER_NAMES)}.${chance.next() < 0.3 ? 'early' : 'late'}.${session}`;
  const head = [
    `POST ${isAudio ? '/v1/audio/transcriptions' : '/v1/chat/completions'} HTTP/1.1`,
    'Host: g',
    `Authorization: Bearer ${token}`,
    `X-Session-Id: ${session}`,
    `Idempotency-Key: ${key}`,
    `Content-Type: ${isAudio ? 'multipart/form-data; boundary=b' : 'application/json'}`,
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`,
    '',
    '',
  ].join('\r\n');
  const fault = chance.pick([
    'none',
    'none',
    'none',
    'leaves',
    'resets',
    'halfCloses',
    'silent',
    'badChunk',
    'pipelines',
    'noReading',
    'leavesOnAnswer',
  ]);
  const breakAt = chance.below(body.length);

  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  await Promise.race([once(socket, 'connect'), gone]);
  if (fault === 'noReading') socket.pause();
  else socket.on('data', () => fault === 'leavesOnAnswer' && socket.destroy());
  socket.write(head);
  let sent = 0;
  while (sent < body.length && !socket.destroyed) {
    const piece = body.subarray(sent, sent + 1 + chance.below(100_000));
    if (
      fault !== 'none' &&
      sent + piece.length > breakAt &&
      ['leaves', 'resets', 'halfCloses', 'silent', 'badChunk'].includes(fault)
    )
      break;
    if (isChunked) socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    if (isChunked) socket.write('\r\n');
    sent += piece.length;
    if (chance.next() < 0.3) await sleep(1);
  }
  if (sent === body.length && isChunked) socket.write('0\r\n\r\n');
  if (fault === 'resets') socket.resetAndDestroy();
  else if (fault === 'leaves') socket.destroy();
  else if (fault === 'halfCloses') socket.end();
  else if (fault === 'badChunk') socket.write('zz\r\n\r\n');
  else if (fault === 'pipelines') socket.write('GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n');
  const patience = setTimeout(() => socket.destroy(), 400);
  await gone;
  clearTimeout(patience);
}

t.test(`exchanges with faults on both sides (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const provider = await startFaultyProvider(t);
  const gateway = await startGateway(t, { providers: { main: provider } });
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const sessions = new Set<string>();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (Date.now() < until) {
        const session = v7();
        sessions.add(session);
        await playClient(gateway.port, session, chanceFrom(seeds.below(2 ** 32)));
      }
    }),
  );
  await gateway.relay.drain(2_000);
  // Those ended by the drain still wait for their event to be durable.
  await sleep(50);
  t.equal(gateway.relay.activeCount, 0, 'nothing stays under way');
  const failures = gateway.log.filter(({ message }) => /callback failed|handler failed/.test(message));
  t.strictSame(failures, [], 'no callback fails');
  const perSession = new Map<string, number>();
  for (const { sessionId } of gateway.events) perSession.set(sessionId, (perSession.get(sessionId) ?? 0) + 1);
  t.strictSame(
    [...perSession].filter(([, count]) => count !== 1),
    [],
    'one event a request',
  );
  t.ok([...perSession.keys()].every((session) => sessions.has(session)));
  t.ok(gateway.events.length > sessions.size / 3, `${gateway.events.length} events of ${sessions.size} exchanges`);
  t.comment(`${sessions.size} exchanges, ${gateway.events.length} events`);
});
