/** What the installed build of uWebSockets.js does with WebSockets (RFC 6455). docs/decisions/http-server-build.md says what follows. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';
import { frame } from '../../../fixtures/websocket-frame.ts';

let heard: string[] = [];
let closedWith: number | undefined;
const { port } = await startTestListener(t, (server) =>
  server.ws<object>('/socket', {
    messageBytes: 1024,
    bufferedBytes: 1 << 20,
    idleSeconds: 60,
    upgrade: (_response, _head, _requestId, accept) => accept({}, ''),
    open: () => undefined,
    message: (socket, data, isBinary) => {
      heard.push(Buffer.from(data).toString());
      socket.send(new Uint8Array(data), isBinary);
    },
    drain: () => undefined,
    close: (_socket, code) => (closedWith = code),
  }),
);

const handshake = (version: number) =>
  `GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
  `Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: ${version}\r\n\r\n`;

/** What comes back for the frames, in hexadecimal; waits for as many bytes as `answer` has, or for the end. */
async function exchange(frames: readonly Buffer[], answer: string) {
  heard = [];
  closedWith = undefined;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => undefined);
  t.teardown(() => void socket.destroy());
  let received = Buffer.alloc(0);
  let isClosed = false;
  socket.on('data', (data) => (received = Buffer.concat([received, data]))).on('close', () => (isClosed = true));
  socket.write(handshake(13));
  while (!received.includes('\r\n\r\n')) await once(socket, 'data');
  const start = received.indexOf('\r\n\r\n') + 4;
  for (const each of frames) {
    socket.write(each);
    await sleep(2);
  }
  const until = performance.now() + 2_000;
  const isThere = () => isClosed || (answer !== '' && received.length - start >= answer.length / 2);
  while (!isThere() && performance.now() < until) await sleep(1);
  const result = { answer: received.subarray(start).toString('hex'), isClosed };
  socket.destroy();
  return result;
}

t.test('a handshake split anywhere is one handshake; one of another version is a 426 that names ours', async (t) => {
  const text = handshake(13);
  for (let at = 1; at < text.length; at += 1) {
    const client = await connectRaw(t, port);
    client.send(text.slice(0, at));
    await sleep(1);
    client.send(text.slice(at));
    const answer = await client.until('\r\n\r\n');
    if (!answer.startsWith('HTTP/1.1 101 ')) t.fail(`at ${at}: ${answer}`);
    if (/extensions/i.test(answer)) t.fail('compression was not asked for by us');
    client.close();
  }
  const client = await connectRaw(t, port);
  client.send(handshake(8));
  const answer = await client.until('\r\n\r\n');
  t.match(answer, /^HTTP\/1\.1 426 /);
  t.match(answer, /sec-websocket-version: 13/i);
});

t.test(
  'who asks for no upgrade is told that it takes one, and who comes with another method that it takes none',
  async (t) => {
    const url = `http://127.0.0.1:${port}/socket`;
    const plain = await fetch(url);
    t.equal(plain.status, 426);
    t.match(await plain.json(), { code: 'UPGRADE_REQUIRED' });
    t.equal(plain.headers.get('upgrade'), 'websocket');
    t.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);
  },
);

const text = (payload: string, more: object = {}) => frame(Buffer.from(payload, 'latin1'), { opcode: 1, ...more });
const ping = (payload: string, more: object = {}) => frame(Buffer.from(payload), { opcode: 9, ...more });
const rest = (payload: string) => frame(Buffer.from(payload, 'latin1'), { opcode: 0 });
const close = (payload: string) => frame(Buffer.from(payload, 'latin1'), { opcode: 8 });

t.test(
  'messages are echoed whole, in fragments, and with control frames between them; pings are answered',
  async (t) => {
    const cases: readonly (readonly [name: string, frames: readonly Buffer[], answer: string])[] = [
      ['whole', [text('hi')], '81026869'],
      ['byte by byte', [...text('hello')].map((byte) => Buffer.from([byte])), '810568656c6c6f'],
      ['fragments around a ping', [text('a', { isFinal: false }), ping('q'), rest('b')], '8a017181026162'],
      ['a letter in two fragments', [text('\xc3', { isFinal: false }), rest('\xa9')], '8102c3a9'],
      ['ping', [ping('pp')], '8a027070'],
      ['a pong that nobody asked for', [frame(Buffer.from('p'), { opcode: 10 }), text('hi')], '81026869'],
    ];
    for (const [name, frames, answer] of cases)
      t.strictSame(await exchange(frames, answer), { answer, isClosed: false }, name);
  },
);

t.test('frames that break the rules close the socket, and none of them is heard', async (t) => {
  const broken: Readonly<Record<string, readonly Buffer[]>> = {
    'a reserved bit': [text('hi', { reservedBits: 4 })],
    'a reserved opcode': [frame(Buffer.from('hi'), { opcode: 3 })],
    'a reserved control opcode': [frame(Buffer.from('hi'), { opcode: 11 })],
    'a long ping': [ping('p'.repeat(126))],
    'a ping in fragments': [ping('p', { isFinal: false })],
    'a continuation of nothing': [rest('x')],
    'a message within another': [text('a', { isFinal: false }), text('b')],
    'no UTF-8': [text('\xff\xfe')],
    'too much': [text('x'.repeat(1025))],
    'too much in fragments': [text('x'.repeat(800), { isFinal: false }), rest('x'.repeat(800))],
    'an endless length': [frame(Buffer.from('hi'), { opcode: 1, claimedBytes: 2n ** 63n })],
  };
  for (const [name, frames] of Object.entries(broken)) {
    t.match(await exchange(frames, ''), { isClosed: true }, name);
    t.strictSame(heard, [], name);
  }
});

t.test('a close is answered with its code, and what follows it is not heard', async (t) => {
  const wanted = { answer: '880203e8', isClosed: true };
  t.strictSame(await exchange([close('\x03\xe8'), text('hi')], ''), wanted);
  t.equal(closedWith, 1000);
  t.strictSame(heard, []);
  for (const payload of ['', '\x03', '\x03\xed', '\x13\x88', '\x03\xe8\xff']) {
    t.strictSame(await exchange([close(payload)], ''), { answer: '8800', isClosed: true }, JSON.stringify(payload));
  }
});

t.test('an unmasked frame is read as if it were masked: rubbish that ends where the frame would', async (t) => {
  await exchange(
    [text('four and more', { isMasked: false }), Buffer.from('1234'), text('hi')],
    '810d0000000000000000000000000081026869',
  );
  t.equal(heard.length, 2);
  t.not(heard[0], 'four and more');
  t.equal(heard[1], 'hi');
});
