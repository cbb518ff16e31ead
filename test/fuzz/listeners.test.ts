/**
 * A listener under bytes of any kind: the process lives, no callback fails, every answer is well-formed, no request is served that was not
 * sent, and the next client is answered at once.
 */
import '../fixtures/header-limit.ts';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { writeWhole } from '../../transports/http/server/write-reply.ts';
import { startTestListener } from '../fixtures/api-listener.ts';
import type { Teardown } from '../fixtures/temporary-folder.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';

const AT_ONCE = 8;
const PATIENCE_MS = 200;

async function startListener(t: Teardown) {
  return startTestListener(t, (server) => {
    server.route('GET', '/plain', () => ({ status: 200, body: { plain: true } }));
    server.route('GET', '/items/:id', ({ params }) => ({ status: 200, body: params }));
    server.route('GET', '/later', async () => {
      await sleep(2);
      return { status: 200, body: 'later' };
    });
    server.route('POST', '/echo', async (request) => ({
      status: 200,
      body: { bytes: (await request.readBody()).length },
    }));
    server.route('DELETE', '/gone', () => ({ status: 204 }));
    server.route('GET', '/stream', () => ({
      status: 200,
      stream: (async function* () {
        for (const part of ['one', 'two', 'three']) {
          yield part;
          await sleep(1);
        }
      })(),
    }));
    server.raw('GET', '/raw', (response, head, requestId) =>
      writeWhole(response, requestId, { status: 200, body: 'raw' }, head.method === 'HEAD'),
    );
    server.raw('POST', '/raw', (response, _, requestId) =>
      response.onData((_chunk, isLast) => isLast && writeWhole(response, requestId, { status: 200, body: 'taken' })),
    );
  });
}

interface Sent {
  readonly bytes: Buffer;
  readonly method: string;
  readonly status: number;
}

/** A valid request, and what it must be answered with. Its body holds nothing that could be read as another request. */
function validRequest(chance: Chance): Sent {
  const [method, path, status] = chance.pick([
    ['GET', '/plain', 200],
    ['HEAD', '/plain', 200],
    ['GET', '/items/a%20b?q=1', 200],
    ['GET', '/items/%zz', 400],
    ['GET', '/later', 200],
    ['GET', '/stream', 200],
    ['HEAD', '/stream', 200],
    ['POST', '/echo', 200],
    ['DELETE', '/gone', 204],
    ['GET', '/raw', 200],
    ['HEAD', '/raw', 200],
    ['POST', '/raw', 200],
    ['GET', '/nowhere', 404],
    ['PUT', '/plain', 405],
  ] as const);
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: fuzz'];
  for (let count = chance.below(4); count > 0; count -= 1) lines.push(`X-${count}: ${'v'.repeat(chance.below(300))}`);
  if (method !== 'POST') return { bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), method, status };
  const body = Buffer.alloc(chance.pick([1, 10, 3_000, 60_000, 70_000]), 'b');
  if (chance.next() < 0.5) {
    const head = `${[...lines, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n`;
    return {
      bytes: Buffer.concat([Buffer.from(head), body]),
      method,
      status: path === '/echo' && body.length > 65_536 ? 413 : status,
    };
  }
  const head = `${[...lines, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n`;
  const chunks = [...fragments(body.subarray(0, 3_000), chance)].slice(0, 50);
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`);
  return { bytes: Buffer.from(`${head}${framed.join('')}0\r\n\r\n`), method, status };
}

/**
 * Statuses of all answers in `text`. An answer to HEAD announces a body and has none; where the methods are not known, one without a body
 * may be such. A streamed answer may be cut where more requests came behind it: this build closes a connection then. @throws for broken framing
 */
function readAnswers(text: string, methods: readonly string[] | undefined): number[] {
  const statuses: number[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3}) [^\r\n]*(\r\n[\w-]+: [^\r\n]*)*$/.exec(head)?.[1]);
    if (end === -1 || !(status >= 200)) throw new Error(`no head: ${rest.slice(0, 300)}`);
    statuses.push(status);
    if (status === 204 && /\r\ncontent-length/i.test(head)) throw new Error(`a length of nothing: ${head}`);
    rest = rest.slice(end + 4);
    // The build's own refusals: what follows is their body, up to the end of the connection.
    if (status >= 400 && /\r\nconnection: close/i.test(head) && rest.startsWith('<h1>')) return statuses;
    if (methods?.[statuses.length - 1] === 'HEAD' || rest === '' || rest.startsWith('HTTP/1.1 ')) continue;
    const length = /\r\ncontent-length: (\d+)(\r\n|$)/i.exec(head)?.[1];
    if (length !== undefined) {
      if (rest.length < Number(length)) throw new Error(`${length} bytes announced, ${rest.length} sent: ${head}`);
      rest = rest.slice(Number(length));
      continue;
    }
    if (!/\r\ntransfer-encoding: chunked/i.test(head)) throw new Error(`no framing: ${head}`);
    const whole = /^(?:[\da-f]+\r\n[a-z]+\r\n)*0\r\n\r\n/i.exec(rest)?.[0];
    const isFollowed = methods === undefined || statuses.length < methods.length;
    if (whole === undefined && isFollowed && CUT_STREAM.test(rest)) return statuses;
    if (whole === undefined) throw new Error(`bad chunks: ${rest.slice(0, 300)}`);
    rest = rest.slice(whole.length);
  }
  return statuses;
}

/** The build's own refusal of what came behind may stand in a streamed answer that it cuts (docs/decisions/http-server-build.md). */
const CUT_STREAM =
  /^(?:[\da-f]+\r\n[a-z]+(?:\r\n)?)*(?:HTTP\/1\.1 (?:400|431|505) [^\r\n]*\r\nConnection: close\r\n\r\n.*)?$/i;

/** Sends, waits until no more comes, and returns all that came. */
async function exchange(port: number, pieces: Iterable<Buffer>, chance: Chance, mayLeave: boolean): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const received: Buffer[] = [];
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined).on('end', () => socket.end());
  await Promise.race([once(socket, 'connect'), gone]);
  let quiet = setTimeout(() => socket.destroy(), PATIENCE_MS * 4);
  const restart = () => {
    clearTimeout(quiet);
    quiet = setTimeout(() => socket.destroy(), PATIENCE_MS);
  };
  socket.on('data', (data) => {
    received.push(data);
    restart();
  });
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    if (chance.next() < 0.1) await sleep(1);
  }
  restart();
  if (mayLeave && chance.next() < 0.2) socket.end();
  await gone;
  clearTimeout(quiet);
  return Buffer.concat(received).toString('latin1');
}

/** What went wrong on one connection; undefined for nothing. */
async function play(port: number, chance: Chance): Promise<string | undefined> {
  const kind = chance.pick(['valid', 'valid', 'fragments', 'mutated', 'mutated', 'raw']);
  const requests = Array.from({ length: 1 + chance.below(4) }, () => validRequest(chance));
  const bytes =
    kind === 'raw'
      ? [chance.bytes(chance.below(2_000))]
      : requests.map((request) =>
          kind === 'mutated' && chance.next() < 0.5 ? mutate(request.bytes, chance) : request.bytes,
        );
  const pieces = kind === 'valid' ? bytes : fragments(Buffer.concat(bytes), chance);
  const isKnown = kind === 'valid' || kind === 'fragments';
  const text = await exchange(port, pieces, chance, !isKnown);
  let statuses: number[];
  try {
    statuses = readAnswers(text, isKnown ? requests.map((request) => request.method) : undefined);
  } catch (error) {
    return `${kind}: ${String(error)}`;
  }
  const said = `${kind}: answered ${statuses.join()} to ${requests.map(({ status }) => status).join()}`;
  if (kind === 'raw') return statuses.some((status) => status < 400) ? said : undefined;
  if (statuses.filter((status) => status < 300).length > requests.length) return said;
  if (kind === 'mutated') return undefined;
  // Not read on behind an answer that is still to come: then there are fewer.
  return statuses.every((status, index) => status === requests[index]?.status) ? undefined : said;
}

t.test(`bytes of any kind against a listener (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const { port, base, log } = await startListener(t);
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const faults: object[] = [];
  let connections = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (Date.now() < until && faults.length < 3) {
        connections += 1;
        const seed = seeds.below(2 ** 32);
        const fault = await play(port, chanceFrom(seed));
        if (fault !== undefined) faults.push({ seed, fault });
        const answer = await fetch(`${base}/plain`, { signal: AbortSignal.timeout(5_000) });
        if (answer.status !== 200 || (await answer.text()) !== '{"plain":true}')
          faults.push({ seed, status: answer.status });
      }
    }),
  );
  t.strictSame(faults, []);
  t.strictSame(
    log.lines.filter(({ message }) => /callback failed|handler failed/.test(message)),
    [],
    'no callback fails',
  );
  t.comment(`${connections} connections`);
});
