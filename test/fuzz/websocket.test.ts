/**
 * Frames of any kind against the desktop endpoint: no callback fails, no session stays behind, and the next desktop is welcomed.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Packr } from 'msgpackr';
import { insertAccount, type Account } from '../fixtures/account.ts';
import { startDesktopServer } from '../fixtures/desktop-server.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';
import { createMigratedDatabase } from '../fixtures/migrated-database.ts';
import { startRedis } from '../fixtures/redis.ts';
import { desktopHeaders, openTestDesktop } from '../fixtures/test-desktop.ts';
import { frame } from '../fixtures/websocket-frame.ts';

const AT_ONCE = 4;
const packr = new Packr({ useRecords: false });

const MESSAGES = [
  ...[{ type: 'ping' }, { type: 'time_sync', t0: 5 }, { type: 'ack', seq: 0 }, { type: 'ack', seq: 2 ** 53 }],
  ...[
    { type: 'resume', epoch: 'e', seq: 1 },
    { type: 'refresh', access_token: 'x' },
    { type: 'ack', seq: -1 },
  ],
  ...[{ type: '__proto__' }, { type: 'toString' }, { type: 5 }, [], null, 1e308, 'text', { type: 'ping', more: 1 }],
];

function anyPayload(chance: Chance): Buffer {
  const message = chance.pick<unknown>(MESSAGES);
  const encoded = chance.next() < 0.5 ? Buffer.from(JSON.stringify(message)) : Buffer.from(packr.pack(message));
  const kind = chance.below(6);
  if (kind === 0) return mutate(encoded, chance);
  if (kind === 1) return chance.bytes(chance.below(300));
  if (kind === 2) return Buffer.from(chance.pick(['[', '{"a":']).repeat(chance.below(5_000)));
  // Lengths of arrays, maps, strings and extensions that MessagePack only claims to follow.
  if (kind === 3)
    return Buffer.from(chance.pick(['dd7fffffff', 'df7fffffff', 'dbffffffff', 'c97fffffff72', 'd67200', 'c1']), 'hex');
  return encoded;
}

function anyFrame(chance: Chance): Buffer {
  const payload = anyPayload(chance);
  const kind = chance.below(12);
  if (kind === 0) return frame(payload, { opcode: chance.below(16), isFinal: chance.next() < 0.5 });
  if (kind === 1) return frame(payload, { opcode: 1, isMasked: false });
  if (kind === 2) return frame(payload, { opcode: 1, reservedBits: 1 + chance.below(7) });
  if (kind === 3)
    return frame(payload, { opcode: 2, claimedBytes: chance.pick([2n ** 16n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) });
  if (kind === 4) return frame(Buffer.alloc(65_537, 'a'), { opcode: 1 });
  if (kind === 5) return frame(chance.bytes(chance.below(126)), { opcode: chance.pick([8, 9, 10]) });
  if (kind === 6)
    return Buffer.concat(Array.from({ length: 400 }, () => frame(Buffer.from('{"type":"ping"}'), { opcode: 1 })));
  if (kind === 7) {
    const pieces = [...fragments(payload, chance)];
    const framed = pieces.map((piece, index) =>
      frame(piece, { opcode: index === 0 ? 1 : 0, isFinal: index === pieces.length - 1 && chance.next() < 0.8 }),
    );
    return Buffer.concat(framed);
  }
  if (kind === 8) return mutate(frame(payload, { opcode: 1 }), chance);
  return frame(payload, { opcode: chance.pick([1, 2]) });
}

async function upgrade(port: number, account: Account, chance: Chance): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const headers = {
    ...desktopHeaders(account),
    Host: 'fuzz',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Protocol': chance.pick(['vello.v1.json', 'vello.v1.msgpack']),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET /ws/desktop HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return socket;
}

async function play(port: number, account: Account, chance: Chance): Promise<void> {
  const socket = await upgrade(port, account, chance);
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  // Sometimes nothing waits for the answer: frames behind the request, in its packet or the next.
  if (chance.next() < 0.8) await Promise.race([once(socket, 'data'), gone, sleep(2_000)]).catch(() => undefined);
  if (chance.next() < 0.1) socket.pause();
  else socket.resume();
  for (let count = 1 + chance.below(6); count > 0; count -= 1) {
    for (const piece of fragments(anyFrame(chance), chance)) socket.write(piece);
    if (chance.next() < 0.3) await sleep(1);
  }
  const end = chance.below(4);
  if (end === 0) socket.resetAndDestroy();
  else if (end === 1) socket.end();
  const patience = setTimeout(() => socket.destroy(), 40);
  await gone;
  clearTimeout(patience);
}

t.test(`frames of any kind (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const database = await createMigratedDatabase(t);
  const redis = await startRedis(t);
  const server = await startDesktopServer(t, redis.url, database);
  const port = Number(new URL(server.base).port);
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  let connections = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const account = await insertAccount(database.admin);
      for (; Date.now() < until; connections += 1) {
        await play(port, account, chanceFrom(seeds.below(2 ** 32)));
        if (connections % 10 !== 0) continue;
        const desktop = await openTestDesktop(t, server.base, await insertAccount(database.admin));
        await desktop.hear('hello');
        desktop.leave();
        await desktop.closed;
      }
    }),
  );
  t.strictSame(
    server.log.lines.filter(({ level }) => level === 'error'),
    [],
    'no callback fails',
  );
  await server.endpoint.drain(2_000);
  t.pass('no socket stays behind');
  t.comment(`${connections} connections`);
});
