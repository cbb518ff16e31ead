/**
 * Answers of any form, well made and damaged, cut anywhere: our parser reads every cut alike, and reads what undici reads. Where one of the
 * two refuses what the other takes, the reason stands below. `npm run fuzz -- response-parser --minutes 10` runs it for longer.
 */
import { Duplex } from 'node:stream';
import t from 'tap';
import { Client } from 'undici';
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { namesToReport, ResponseParser } from '../../transports/proxy/upstream/response-parser.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';

interface Reading {
  /** Of the final head; 0 where none was read. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Why it is no complete answer; undefined for one that is. */
  readonly fault: string | undefined;
}

const WANTED = ['content-type', 'retry-after', 'x-a', 'content-encoding'];

/** What ours refuses on purpose though undici takes it: our words for it, and what must then stand in the answer. */
const STRICTER: Readonly<Record<string, RegExp>> = {
  // undici takes the body as it comes, coded or not.
  'Transfer-Encoding is not "chunked".':
    /transfer-encoding:(?![ \t]*chunked[ \t]*\r)|transfer-encoding:[^]*transfer-encoding:/i,
  // RFC 9112 §6.1: framing that HTTP/1.0 does not have.
  'Transfer-Encoding beside Content-Length, or in HTTP/1.0.': /^HTTP\/1\.0/m,
  // RFC 9110 §15: a status is within 100 and 599. undici ends its line with any carriage return.
  'The status line is malformed.': /HTTP\/1\.\d ([06-9]|\d{3}\r(?!\n))/,
  // RFC 9112 §2.2 lets servers pass over an empty line before a request, and nobody before an answer.
  'The answer is not HTTP/1.': /HTTP\/(0\.9|2\.0)|RTSP|ICY|(^|\r\n\r\n)[\r\n]+HTTP/,
  'A line ends with a line feed alone.': /(^|\r\n\r\n)[\r\n]*\n+HTTP/,
  // Of the reason phrase, which undici ends with any carriage return, or of what a chunk says beside its size.
  'A line has a control character.':
    /HTTP\/1\.\d \d{3}[^\r\n]*(\r(?!\n)|[^\t\r\n\x20-\x7e\x80-\xff])|^[\da-f]+[ \t]*;[^\r\n]*[^\t\r\n\x20-\x7e\x80-\xff]/im,
};
/** What undici refuses though it can be read in one way only: its words, and what must then stand in the answer. */
const LAXER: readonly (readonly [words: RegExp, answer: RegExp])[] = [
  // Nobody reads what an extension says, and blanks before it are allowed (RFC 9112 §7.1.1).
  [/Invalid character in chunk (extensions|size)/, /^[\da-f]+[ \t]*;/im],
  // It ends with its head whatever else that says (RFC 9112 §6.3).
  [/does not match content-length header/, /HTTP\/1\.\d (204|304)/],
  // Trailers are not looked at, so that none of them frames anything (RFC 9110 §6.5.1).
  [
    /Content-Length can't be present|Content-Length already present|Transfer-Encoding can't be present|Invalid character in Content-Length|Content-Length overflow/,
    /\r\n0[^\r\n]*\r\n(.*\r\n)*(content-length|transfer-encoding):/i,
  ],
  // What an interim answer says of its connection, or its version means, is for the final one to say.
  [/Data after `Connection: close`/, /HTTP\/1\.\d 1\d\d/],
  // An interim answer that nobody asked for is one all the same (RFC 9110 §15.2).
  [/bad response/, /HTTP\/1\.\d 1/],
];

const LINES = [
  ...[
    'Content-Type: application/json',
    'content-type:text/event-stream',
    'X-A: 1',
    'x-a:\t two words ',
    'X-A:',
    'Retry-After: 7',
  ],
  ...[
    'Connection: close',
    'Connection: keep-alive',
    'Connection: Keep-Alive, X-A',
    'Keep-Alive: timeout=5',
    'Date: today',
    'Content-Encoding: gzip',
  ],
];
const STRANGE_LINES = [
  ...[
    'Content-Length: 3',
    'Content-Length: +3',
    'Content-Length: 3, 3',
    'Content-Length: 0x3',
    'Content-Length:',
    'Content-Length: 99999999999999999999',
  ],
  ...[
    'Content-Length : 3',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding: chunked, chunked',
  ],
  ...[
    'Transfer-Encoding: identity',
    'Transfer-Encoding:',
    'Transfer-Encoding:\x0bchunked',
    'X-A : 1',
    ' folded',
    '\tfolded',
    ': nameless',
    'no colon',
    'X-A: a\nb',
  ],
  ...[
    'X-A: a\rb',
    'X-A: a\0b',
    'X-A: \x7f',
    'X-A: \xe9',
    'X\xe9: 1',
    'X(: 1',
    'Connection: close, keep-alive',
    'Upgrade: h2c',
    'Trailer: X-A',
  ],
];
const STATUS_LINES = [
  ...[
    'HTTP/1.1 200',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 200 ',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 304 Not Modified',
    'HTTP/1.1 429 Too Many',
    'HTTP/1.1 500 \xe9',
  ],
  ...[
    'HTTP/1.1  200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 099 OK',
    'HTTP/1.1 600 OK',
    'HTTP/1.1 999 OK',
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/0.9 200 OK',
  ],
  ...[
    'http/1.1 200 OK',
    'ICY 200 OK',
    'RTSP/1.0 200 OK',
    'HTTP/1.1 200 a\0',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200OK',
    '',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 101 Switch',
    'HTTP/1.1 100 Continue',
  ],
];
const INTERIM = [
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 102 Processing\r\n\r\n',
  'HTTP/1.1 103 E\r\nX-A: early\r\n\r\n',
];

function chunked(body: Buffer, chance: Chance): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const piece = body.subarray(at, at + 1 + chance.below(40));
    const size = piece.length.toString(16);
    const written = chance.pick([size, size, size.toUpperCase(), `000${size}`]);
    const extension = chance.pick([
      '',
      '',
      '',
      ';a',
      ';a=b',
      ';a="b;c"',
      ' ; a = b',
      ';',
      ' ',
      '\t',
      ';a\xe9',
      ';a\x01',
      'g',
      ';a\n',
      ';a\r',
    ]);
    parts.push(
      Buffer.from(written + (chance.next() < 0.2 ? extension : '') + '\r\n', 'latin1'),
      piece,
      Buffer.from('\r\n'),
    );
    at += piece.length;
  }
  const trailers = chance.next() < 0.2 ? `${chance.pick([...LINES, ...STRANGE_LINES])}\r\n` : '';
  return Buffer.concat([
    ...parts,
    Buffer.from(`${chance.pick(['0', '0', '0', '000', '0;a', '-0', ''])}\r\n${trailers}\r\n`, 'latin1'),
  ]);
}

function anyAnswer(chance: Chance): Buffer {
  const lines = [chance.next() < 0.8 ? 'HTTP/1.1 200 OK' : chance.pick(STATUS_LINES)];
  for (let count = chance.below(5); count > 0; count -= 1) lines.push(chance.pick(LINES));
  if (chance.next() < 0.3) lines.push(chance.pick(STRANGE_LINES));
  const body = chance.bytes(chance.pick([0, 1, 10, 300]));
  const framing = chance.below(4);
  if (framing === 0) lines.push(`Content-Length: ${body.length + (chance.next() < 0.1 ? chance.below(3) - 1 : 0)}`);
  if (framing === 1) lines.push(chance.pick(['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED']));
  const end = chance.next() < 0.97 ? '\r\n' : '\n';
  const interim = chance.next() < 0.1 ? chance.pick(INTERIM) : '';
  const whole = Buffer.concat([
    Buffer.from(`${interim}${lines.join(end)}${end}${end}`, 'latin1'),
    framing === 1 ? chunked(body, chance) : body,
    Buffer.from(chance.next() < 0.1 ? chance.pick(['\r\n', 'x', 'HTTP/1.1 200 OK\r\n\r\n']) : ''),
  ]);
  return chance.next() < 0.3 ? mutate(whole, chance) : whole;
}

function joined(headers: UpstreamHeaders): Record<string, string> {
  const entries = WANTED.flatMap((name) => {
    const value = headers[name];
    return value === undefined
      ? []
      : [
          [
            name,
            [value]
              .flat()
              .map((one) => one.replace(/[ \t]+$/, ''))
              .join('|'),
          ] as const,
        ];
  });
  return Object.fromEntries(entries);
}

/** Each piece lies in memory that is overwritten behind it, as a connection's is. */
function readOurs(pieces: Iterable<Buffer>, toHead: boolean): Reading {
  const parser = new ResponseParser(namesToReport(WANTED));
  parser.begin(toHead);
  const body: string[] = [];
  let status = 0;
  let headers: Record<string, string> = {};
  /** True when the answer is complete. */
  const readOn = (): boolean => {
    for (;;) {
      switch (parser.read()) {
        case 'more':
          return false;
        case 'head':
          status = parser.status;
          headers = joined(parser.headers);
          break;
        case 'data':
          body.push(parser.data.toString('latin1'));
          break;
        case 'end':
          return true;
      }
    }
  };
  const reading = (fault?: string): Reading => ({ status, headers, body: body.join(''), fault });
  try {
    for (const piece of pieces) {
      const lent = Buffer.from(piece);
      parser.feed(lent);
      if (readOn()) return reading();
      lent.fill('#');
    }
    parser.finish();
    return reading();
  } catch (error) {
    return reading((error as Error).message);
  }
}

function readTheirs(bytes: Buffer, toHead: boolean): Promise<Reading> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => {
        done();
        if (isAnswered) return;
        isAnswered = true;
        setImmediate(() => {
          socket.push(bytes);
          socket.push(null);
        });
      },
    });
    let isAnswered = false;
    const client = new Client('http://undici', {
      connect: (_options, done) => void setImmediate(() => done(null, socket as never)),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const body: string[] = [];
    let status = 0;
    let headers: Record<string, string> = {};
    const settle = (fault?: string) => {
      resolve({ status, headers, body: body.join(''), fault });
      void client.destroy().catch(() => undefined);
    };
    client.dispatch(
      { method: toHead ? 'HEAD' : 'GET', path: '/' },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code, given) => {
          if (code < 200) return;
          status = code;
          // undici reads a value as latin1, whatever it is in.
          const read = Object.entries(joined(given as UpstreamHeaders));
          headers = Object.fromEntries(read.map(([name, value]) => [name, Buffer.from(value, 'latin1').toString()]));
        },
        onResponseData: (_controller, chunk) => body.push(chunk.toString('latin1')),
        onResponseEnd: () => settle(),
        onResponseError: (_controller, error) => settle(error.message),
      },
    );
  });
}

function isSame(one: Reading, other: Reading): boolean {
  const isAlike = one.status === other.status && one.fault === other.fault && one.body === other.body;
  return isAlike && JSON.stringify(one.headers) === JSON.stringify(other.headers);
}

/** Both refuse it, maybe at another place, and have read the same until then. */
function isSameBegin(one: Reading, other: Reading): boolean {
  const isAlike = one.body.startsWith(other.body) || other.body.startsWith(one.body);
  return isAlike && (one.status === 0 || other.status === 0 || one.status === other.status);
}

function isExplained(ours: Reading, theirs: Reading, answer: string): boolean {
  if (ours.fault !== undefined && theirs.fault !== undefined) return isSameBegin(ours, theirs);
  if (ours.fault !== undefined) return STRICTER[ours.fault]?.test(answer) === true;
  const { fault } = theirs;
  if (fault !== undefined) return LAXER.some(([words, cause]) => words.test(fault) && cause.test(answer));
  return isSame(ours, theirs);
}

t.test(`answers are read as undici reads them (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const counts = { answers: 0, complete: 0, refused: 0 };
  const faults: object[] = [];
  while (Date.now() < until && faults.length === 0) {
    const seed = seeds.below(2 ** 32);
    const chance = chanceFrom(seed);
    const bytes = anyAnswer(chance);
    const toHead = chance.next() < 0.05;
    const answer = bytes.toString('latin1');
    const ours = readOurs([bytes], toHead);
    for (const pieces of [fragments(bytes, chance), bytesOf(bytes)]) {
      const cut = readOurs(pieces, toHead);
      if (!isSame(ours, cut)) faults.push({ seed, toHead, answer, ours, cut });
    }
    const theirs = await readTheirs(bytes, toHead);
    if (!isExplained(ours, theirs, answer)) faults.push({ seed, toHead, answer, ours, theirs });
    counts.answers += 1;
    counts[ours.fault === undefined ? 'complete' : 'refused'] += 1;
  }
  t.strictSame(faults, []);
  t.ok(counts.complete > 0 && counts.refused > 0, JSON.stringify(counts));
  t.comment(JSON.stringify(counts));
});

function* bytesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1) yield bytes.subarray(at, at + 1);
}
