import t from 'tap';
import type { UpstreamHeaders } from '../../../../actors/relay/upstream.ts';
import { namesToReport, ResponseParser } from '../../../../transports/proxy/upstream/response-parser.ts';

interface Read {
  readonly status: number;
  readonly headers: UpstreamHeaders;
  readonly body: string;
  /** What was read no more, behind the end. */
  readonly rest: boolean;
  readonly keeps: boolean;
  readonly keepAliveMs: number | undefined;
}

/** Reads one answer from pieces of `size` bytes; `isEnded`: then the connection ends. */
function read(answer: string, { size = Infinity, toHead = false, isEnded = false } = {}): Read | 'unfinished' {
  const parser = new ResponseParser(namesToReport(['content-type', 'x-a']));
  parser.begin(toHead);
  let body = '';
  const finished = (): Read => ({
    status: parser.status,
    headers: parser.headers,
    body,
    rest: parser.hasRest,
    keeps: parser.keepsConnection,
    keepAliveMs: parser.keepAliveMs,
  });
  const bytes = Buffer.from(answer, 'latin1');
  for (let at = 0; at < bytes.length; at += size) {
    parser.feed(Buffer.from(bytes.subarray(at, at + size)));
    for (let step = parser.read(); step !== 'more'; step = parser.read()) {
      if (step === 'data') body += parser.data.toString('latin1');
      if (step === 'end') return finished();
    }
  }
  if (!isEnded) return 'unfinished';
  parser.finish();
  return finished();
}

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

t.test('an answer is read alike however it is cut', async (t) => {
  const cases: [answer: string, expected: Partial<Read>, options?: { toHead?: boolean; isEnded?: boolean }][] = [
    [`${OK}Content-Length: 5\r\n\r\nhello`, { body: 'hello', keeps: true, headers: { 'content-length': '5' } }],
    [`${OK}content-length:0\r\n\r\n`, { body: '', keeps: true }],
    [
      `${OK}CONTENT-TYPE: \t text/plain \t\r\nX-Other: 1\r\nX-A:\r\n\r\n`,
      { headers: { 'content-type': 'text/plain', 'x-a': '' } },
      { isEnded: true },
    ],
    [
      `${OK}X-A: 1\r\nX-a: 2\r\nx-A: 3\r\nContent-Length: 0\r\n\r\n`,
      { headers: { 'x-a': ['1', '2', '3'], 'content-length': '0' } },
    ],
    [`HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n`, { status: 200 }],
    [`HTTP/1.1 429 Zu viele \xe4\r\nContent-Length: 0\r\n\r\n`, { status: 429 }],
    [`${OK}\r\nuntil the end`, { body: 'until the end', keeps: false }, { isEnded: true }],
    [`${CHUNKED}5\r\nhello\r\n00006;name="va;lue"\r\n world\r\n0\r\n\r\n`, { body: 'hello world', keeps: true }],
    [
      `${CHUNKED}A ;x\r\n0123456789\r\n0;y\r\nX-A: trailer\r\nContent-Length: 9\r\n\r\n`,
      { body: '0123456789', headers: {} },
    ],
    [
      `HTTP/1.1 103 Early Hints\r\nX-A: early\r\n\r\nHTTP/1.1 103 More\r\n\r\nHTTP/1.1 100\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`,
      { status: 200, body: 'ok', headers: { 'content-length': '2' } },
    ],
    [`HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n`, { status: 204, body: '', keeps: true }],
    [`HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n`, { status: 304, body: '', keeps: true }],
    [`${OK}Content-Length: 5\r\n\r\n`, { body: '', keeps: true, headers: { 'content-length': '5' } }, { toHead: true }],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n`, { body: '', keeps: true }, { toHead: true }],
    [`${OK}\r\n`, { body: '', keeps: true }, { toHead: true }],
    [`${OK}Connection: X-A, Close\r\nContent-Length: 0\r\n\r\n`, { keeps: false }],
    [`${OK}Connection: keep-alive\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, { keeps: false }],
    [`HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n`, { keeps: false }],
    [`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n`, { keeps: true }],
    [`${OK}Keep-Alive: max=5, timeout=12\r\nContent-Length: 0\r\n\r\n`, { keepAliveMs: 12_000 }],
    [`${OK}Keep-Alive: max=5\r\nContent-Length: 0\r\n\r\n`, { keepAliveMs: undefined }],
  ];
  for (const [answer, expected, options] of cases) {
    const whole = read(answer, options);
    t.match(whole, { status: 200, rest: false, ...expected }, answer);
    if (expected.headers !== undefined) t.strictSame((whole as Read).headers, expected.headers, answer);
    for (const size of [1, 2, 3, 7]) t.strictSame(read(answer, { ...options, size }), whole, `${answer} by ${size}`);
  }
});

t.test('what two readers could take for two answers is refused, wherever it is cut', async (t) => {
  const length = 'Content-Length: 1\r\n';
  const cases: [answer: string, fault: RegExp][] = [
    ['\r\nHTTP/1.1 200 OK\r\n\r\n', /not HTTP\/1/],
    ['HTTP/2 200\r\n\r\n', /not HTTP\/1/],
    ['HTTP/1.2 200 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 20\r\n\r\n', /status line/],
    ['HTTP/1.1 2000 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 600 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 099 OK\r\n\r\n', /status line/],
    ['HTTP/1.1  200 OK\r\n\r\n', /status line/],
    ['HTTP/1.1 200 a\0b\r\n\r\n', /control character/],
    ['HTTP/1.1 200 a\rb\r\n\r\n', /control character/],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n', /protocol that nobody asked for/],
    ['HTTP/1.1 200 OK\n\n', /line feed alone/],
    [`${OK}X-A: 1\nX-B: 2\r\n\r\n`, /line feed alone/],
    [`${OK}X-A: 1\r\n\n`, /line feed alone/],
    [`${OK}X-A: 1\rX-B: 2\r\n\r\n`, /control character/],
    [`${OK}X-A: 1\0\r\n\r\n`, /control character/],
    [`${OK}X-A: 1\r\n folded\r\n\r\n`, /name of a header/],
    [`${OK}X-A : 1\r\n\r\n`, /name of a header/],
    [`${OK}: 1\r\n\r\n`, /name of a header/],
    [`${OK}X-A\r\n\r\n`, /name of a header/],
    [`${OK}X\xe4: 1\r\n\r\n`, /name of a header/],
    [`${OK}${length}${length}\r\n1`, /more than once/],
    [`${OK}${length}Content-Length: 2\r\n\r\n12`, /more than once/],
    ...['', '-1', '+1', '1, 1', '0x1', '1 1', '1.0', '9007199254740993', '99999999999999999999'].map(
      (value): [string, RegExp] => [`${OK}Content-Length: ${value}\r\n\r\n1`, /not a number of bytes/],
    ),
    ...['gzip', 'gzip, chunked', 'chunked, chunked', 'identity', '', 'xchunked', 'chunked;q=1', '\x0bchunked'].map(
      (value): [string, RegExp] => [`${OK}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`, /not "chunked"|control/],
    ),
    [`${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n`, /not "chunked"/],
    [`${OK}${length}Transfer-Encoding: chunked\r\n\r\n`, /beside Content-Length/],
    [`${OK}Transfer-Encoding: chunked\r\n${length}\r\n`, /beside Content-Length/],
    [`HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`, /HTTP\/1\.0/],
    ...['', 'x', '-1', '+1', '0x1', ' 1', '1 x', '1\t', '1 '].map((size): [string, RegExp] => [
      `${CHUNKED}${size}\r\n1\r\n`,
      /chunk/,
    ]),
    [`${CHUNKED}20000000000000\r\n`, /larger than any/],
    [`${CHUNKED}fffffffffffffffff\r\n`, /larger than any/],
    [`${CHUNKED}1;a\rb\r\n1\r\n`, /control character/],
    [`${CHUNKED}1\n1\r\n`, /line feed alone/],
    [`${CHUNKED}1\r\n12\r\n`, /too long|longer than its size/],
    [`${CHUNKED}1\r\n1\n0\r\n\r\n`, /line feed alone/],
    [`${CHUNKED}0\r\nX-A: 1\nX-B: 2\r\n\r\n`, /line feed alone/],
    [`${CHUNKED}0\r\nno trailer\r\n\r\n`, /name of a header/],
  ];
  for (const [answer, fault] of cases) {
    for (const size of [Infinity, 1, 3]) t.throws(() => read(answer, { size }), fault, `${answer} by ${size}`);
  }
});

t.test('a connection that ends before its answer does is no end of it', async (t) => {
  for (const answer of [
    '',
    'HTTP/1.1 200',
    OK,
    `${OK}Content-Length: 2\r\n\r\n1`,
    `${OK}Content-Length: 2\r\n\r\n`,
    CHUNKED,
    `${CHUNKED}1\r\n1\r\n`,
    `${CHUNKED}1\r\n1\r\n0\r\n`,
    'HTTP/1.1 103 Early\r\n\r\n',
  ]) {
    t.equal(read(answer), 'unfinished');
    t.throws(() => read(answer, { isEnded: true }), /ended before the answer did/, answer);
  }
});

t.test('heads, interim ones together, trailers and the lines of chunks have a bound', async (t) => {
  const many = 'X-Many: 0123456789\r\n'.repeat(2_000);
  const interim = 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(2_000);
  for (const answer of [
    `${OK}${many}`,
    `HTTP/1.1 200 ${'x'.repeat(40_000)}`,
    `${OK}X-A: ${'x'.repeat(40_000)}`,
    interim,
    `${CHUNKED}0\r\n${many}`,
    `${CHUNKED}1;${'x'.repeat(2_000)}`,
    `${CHUNKED}${'0'.repeat(2_000)}`,
  ]) {
    for (const size of [Infinity, 100]) t.throws(() => read(answer, { size }), /too long/);
  }
  t.match(read(`${OK}X-A: ${'x'.repeat(30_000)}\r\nContent-Length: 0\r\n\r\n`), { status: 200 });
});

t.test('bytes behind an answer are told from it', async (t) => {
  for (const answer of [
    `${OK}Content-Length: 1\r\n\r\n1`,
    `${CHUNKED}1\r\n1\r\n0\r\n\r\n`,
    'HTTP/1.1 204 None\r\n\r\n',
  ]) {
    t.match(read(answer), { rest: false });
    t.match(read(`${answer}H`), { rest: true });
  }
});

t.test('what was fed is given in place, and kept only where it is asked to be', async (t) => {
  const parser = new ResponseParser(namesToReport([]));
  parser.begin(false);
  const lent = Buffer.from(`${OK}Content-Length: 6\r\n\r\nabc`);
  parser.feed(lent);
  t.equal(parser.read(), 'head');
  parser.keep();
  lent.fill('#');
  parser.feed(Buffer.from('def'));
  t.equal(parser.read(), 'data');
  t.equal(parser.data.toString(), 'abcdef');
  t.equal(parser.read(), 'end');
  t.equal(parser.read(), 'more', 'nothing follows until it is expected');
  parser.begin(false);
  const second = Buffer.from(`${OK}Content-Length: 3\r\n\r\nabc`);
  parser.feed(second);
  parser.read();
  t.equal(parser.read(), 'data');
  t.equal(parser.data.buffer, second.buffer);
});

t.test('small chunks that arrive together are given together, others as they are', async (t) => {
  const pieces = (chunks: string): string[] => {
    const parser = new ResponseParser(namesToReport([]));
    parser.begin(false);
    const lent = Buffer.from(`${CHUNKED}${chunks}`);
    parser.feed(lent);
    const given: string[] = [];
    for (let step = parser.read(); step !== 'more'; step = parser.read()) {
      if (step === 'data') given.push(parser.data.toString());
      if (step === 'end') break;
      // It may be changed by whoever gets it.
      if (step === 'data') parser.data.fill('#');
    }
    return given;
  };
  const large = 'l'.repeat(4 * 1024);
  t.strictSame(pieces('3\r\none\r\n3\r\ntwo\r\nA\r\n0123456789\r\n0\r\n\r\n'), ['onetwo0123456789']);
  t.strictSame(pieces('3\r\none\r\n0003\r\ntwo\r\n5\r\nth'), ['onetwo', 'th']);
  t.strictSame(pieces('3\r\none\r\n3;x\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n'), ['one', 'twothree']);
  t.strictSame(pieces(`3\r\none\r\n1000\r\n${large}\r\n3\r\ntwo\r\n0\r\n\r\n`), ['one', `${large}two`]);
  for (const chunks of ['3\r\none\r\n3\r\ntwo!\r\n', '3\r\none!!3\r\ntwo\r\n', '3\r\none\r!3\r\ntwo\r\n']) {
    t.throws(() => pieces(chunks), /too long|longer than its size/, chunks);
  }
  t.throws(() => pieces('3\r\none\r\n3\r!two\r\n'), /control character/);
  t.throws(() => pieces('3\r\none\r\n3\ntwo\r\n'), /line feed alone/);
});
