/** What the installed build of uWebSockets.js does, so that another build cannot change it unseen. docs/decisions/http-server-build.md says why. */
import '../../../fixtures/header-limit.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startTestListener } from '../../../fixtures/api-listener.ts';
import { connectRaw } from '../../../fixtures/raw-client.ts';

let served: string[] = [];
const { port } = await startTestListener(t, (server) => {
  server.route('POST', '/body', async (request) => {
    const body = await request.readBody();
    served.push(`${body.length} bytes`);
    return { status: 200, body };
  });
  server.route('GET', '/next', () => {
    served.push('next');
    return { status: 200, body: 'next' };
  });
});

const post = (lines: string, body: string) => `POST /body HTTP/1.1\r\nHost: h\r\n${lines}\r\n\r\n${body}`;
const chunked = (body: string) => post('Transfer-Encoding: chunked', body);
const get = (lines: string) => `GET /next HTTP/1.1\r\n${lines}\r\n`;
const next = get('Host: h\r\n');

interface Result {
  /** Status codes of what came back, in order. */
  readonly codes: string;
  readonly isClosed: boolean;
}

/** Waits until the last of the expected answers is there, or the connection is closed, or `patienceMs` are over. */
async function exchange(pieces: readonly string[], answers = 1, patienceMs = 2_000): Promise<Result> {
  served = [];
  const client = await connectRaw(t, port);
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await sleep(3);
    await client.sendAll(Buffer.from(piece, 'latin1'));
  }
  const codes = () => [...client.text().matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);
  const until = performance.now() + patienceMs;
  while (codes().length < answers && !client.isEnded() && performance.now() < until) await sleep(1);
  const result = { codes: codes().join(), isClosed: client.isEnded() };
  client.close();
  return result;
}

async function refusal(bytes: string): Promise<string> {
  const { codes, isClosed } = await exchange([bytes], 2);
  return isClosed && served.length === 0 ? codes : `${codes}, ${isClosed ? 'closed' : 'open'}, ${served.join()}`;
}

t.test('a request in two packets, split anywhere, is one request', async (t) => {
  const requests = [
    next,
    post('X-Long: zzzzzzzzzz\r\nContent-Length: 5', 'hello'),
    chunked('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
  ];
  for (const text of requests) {
    for (let at = 1; at < text.length; at += 1) {
      const { codes, isClosed } = await exchange([text.slice(0, at), text.slice(at)]);
      if (codes !== '200' || isClosed) t.fail(`at ${at} of ${JSON.stringify(text)}: ${codes}`);
    }
    t.equal((await exchange(Array.from(text))).codes, '200', 'byte by byte');
  }
});

t.test('a head is taken up to 16 kB and 98 lines, in however many packets; more is 431 and the end', async (t) => {
  const long = (bytes: number) => `GET /next?${'a'.repeat(bytes)} HTTP/1.1\r\nHost: h\r\n\r\n`;
  t.equal((await exchange([long(6_000).slice(0, 3_000), long(6_000).slice(3_000)])).codes, '200', 'a long line');
  const wide = get(`Host: h\r\nX-Long: ${'b'.repeat(14_000)}\r\n`);
  t.equal((await exchange([wide.slice(0, 5_000), wide.slice(5_000, 9_000), wide.slice(9_000)])).codes, '200');
  const lines = (count: number) => get(`Host: h\r\n${'A: b\r\n'.repeat(count - 1)}`) + next;
  t.equal((await exchange([lines(98)], 2)).codes, '200,200');
  t.equal(await refusal(lines(99)), '431');
  const tooWide = get(`Host: h\r\nX-Long: ${'b'.repeat(20_000)}\r\n`) + next;
  t.equal(await refusal(tooWide), '431');
  t.strictSame(await exchange([tooWide.slice(0, 10_000), tooWide.slice(10_000)], 2), { codes: '431', isClosed: true });
});

t.test('requests in one packet are answered in order', async (t) => {
  t.equal(
    (await exchange([post('Content-Length: 2', 'ab') + next + chunked('1\r\na\r\n0\r\n\r\n') + next], 4)).codes,
    '200,200,200,200',
  );
});

t.test('a head that breaks the rules is answered with 400 and the end, and nothing behind it is served', async (t) => {
  const heads = [
    ...[
      'X-A: b\r\n c',
      'X-A : b',
      'X-A: b\0c',
      'X-A: b\x01c',
      'X-A: b\nTransfer-Encoding: chunked',
      'No-Colon',
      'X@(y: 1',
    ],
    ...['Content-Length: 3', 'Content-Length: 4', 'Transfer-Encoding: chunked', 'Host: g'],
  ].map((line) => `${line}\r\nContent-Length: 3`);
  const framings = ['3, 3', '0x3', '+3', '-3', '', '99999999999999999999'].map((length) => `Content-Length: ${length}`);
  const codings = ['xchunked', 'gzip, chunked', 'chunked\r\nTransfer-Encoding: chunked'].map(
    (coding) => `Transfer-Encoding: ${coding}`,
  );
  for (const lines of [...heads, ...framings, ...codings]) {
    t.equal(await refusal(post(lines, 'abc') + next), '400', JSON.stringify(lines));
  }
  t.equal(await refusal(get('') + next), '400', 'no host');
  for (const size of ['FFFFFFFFFFFFFFFFF', '10000000000000003', '-3', '0x3', 'h']) {
    t.equal(await refusal(chunked(`${size}\r\nabc\r\n0\r\n\r\n`) + next), '400', size);
  }
});

t.test('a method that is no name ends the connection, so that no trailer passes for a request', async (t) => {
  for (const method of ['GET:', 'G@T', 'GE(T', '"GET"']) {
    t.equal(await refusal(`${method} /next HTTP/1.1\r\nHost: h\r\n\r\n${next}`), '400', method);
  }
  const { codes, isClosed } = await exchange([chunked(`0\r\nXXGET: /next HTTP/1.1\r\nHost: h\r\n\r\n${next}`)], 3);
  t.ok(isClosed && !served.includes('next'), `${codes}, ${served.join()}`);
});

t.test('an unusual head that keeps the rules is served', async (t) => {
  for (const lines of ['X-A: b\tc', 'X-A: \xe9\xff', 'a_b.c~d!: 1', 'X-Empty:', 'X-Many:   blanks  ']) {
    t.equal((await exchange([post(`${lines}\r\nContent-Length: 3`, 'abc')])).codes, '200', lines);
    t.strictSame(served, ['3 bytes']);
  }
  t.equal((await exchange([post('Expect: 100-continue\r\nContent-Length: 3', ''), 'abc'], 2)).codes, '100,200');
});

t.test('a line that is none is waited for, and its connection ended all the same', async (t) => {
  const heads = ['GET /next\r\nHost: h\r\n\r\n', 'GET /next HTTP/1.1\r\nHost: h\ra\r\n\r\n', '\r\n', 'GET /ne'];
  const ends = await Promise.all(heads.map((bytes) => exchange([bytes], 1, 20_000)));
  t.strictSame(
    ends,
    heads.map(() => ({ codes: '', isClosed: true })),
  );
});

t.test('what the build cannot do, although it is valid', async (t) => {
  const trailers = chunked('3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n');
  t.strictSame(await exchange([trailers], 2), { codes: '505', isClosed: true }, 'trailers');
  const version = '505';
  t.equal(await refusal('GET /next HTTP/1.0\r\nHost: h\r\n\r\n'), version);
  t.equal(await refusal('GET http://h/next HTTP/1.1\r\nHost: h\r\n\r\n'), version, 'absolute form');
  t.equal(await refusal('OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n'), version);
  t.equal((await exchange([`\r\n${next}`], 1, 100)).codes, '', 'an empty line before the request');
});

t.test('what the build takes although it is wrong: no proxy in front may pass it on', async (t) => {
  t.equal((await exchange([post(': x\r\nContent-Length: 3', '')])).codes, '200', 'a nameless header hides the length');
  t.equal(
    (await exchange([chunked('3;a=b\r\nabc\r\n0\r\n\r\n') + next], 1, 100)).codes,
    '',
    'an extension is read as part of the size',
  );
  t.strictSame(served, []);
  t.equal((await exchange([chunked('\r\nabc\r\n0\r\n\r\n')], 1)).codes, '200', 'no size is taken as the last one');
  for (const wrong of ['3\nabc\r\n0\r\n\r\n', '3\r\nabc0\r\n\r\n', '3 x\r\nabc\r\n0\r\n\r\n']) {
    t.equal((await exchange([chunked(wrong)])).codes, '200', JSON.stringify(wrong));
    t.strictSame(served, ['3 bytes'], 'but it ends where it says');
  }
  for (const [size, bytes] of [
    ['g', 16],
    ['@', 16],
    [':', 10],
    ['?', 15],
  ] as const) {
    t.equal((await exchange([chunked(`${size}\r\n${'a'.repeat(bytes)}\r\n0\r\n\r\n`)])).codes, '200', size);
    t.strictSame(served, [`${bytes} bytes`], 'a digit that is none');
  }
  t.equal((await exchange([post('Content-Length: \xb23\xff', 'abc')])).codes, '200', 'bytes around a value are blanks');
  t.strictSame(served, ['3 bytes']);
});
