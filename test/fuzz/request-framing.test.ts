/**
 * Bytes of any kind on their way through a gateway to a provider: it sees the requests that a slow and strict reader finds in them, each with
 * its own body and length and nothing else, every answer belongs to one of them, and every connection ends. `npm run fuzz -- request-framing`.
 */
import '../fixtures/header-limit.ts';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { readAnswer, type SeenAnswer } from '../../scripts/conformance/seen-answer.ts';
import { framedRequest, leftover } from '../fixtures/framed-requests.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';
import { startReadingProvider, type ReadingProvider, type SeenRequest } from '../fixtures/reading-provider.ts';
import { endsConnection, optionsOf, readRequests, type Reading, type ReadRequest } from '../fixtures/request-reader.ts';
import type { Teardown } from '../fixtures/temporary-folder.ts';
import { PROVIDER_KEY, SESSION, startGateway, type TestGateway } from '../fixtures/test-gateway.ts';

/** Each plays one connection after the other against a gateway of its own, so that what a provider sees is known to come from it. */
const LANES = 16;
/** Then with new gateways: they keep what they report. */
const INPUTS_OF_A_GATEWAY = 1_000;
const PATIENCE_MS = 4_000;

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

interface Lane {
  readonly provider: ReadingProvider;
  readonly gateway: TestGateway;
}

async function openLane(t: Teardown): Promise<Lane> {
  const provider = await startReadingProvider(t);
  const gateway = await startGateway(t, { providers: { main: provider.url }, countsStreams: false });
  return { provider, gateway };
}

interface Input {
  readonly bytes: Buffer;
  readonly reading: Reading;
  /** Bodies that were made for it. */
  readonly bodies: ReadonlySet<string>;
  /** The client waits for each answer before it goes on. */
  readonly isOrdered: boolean;
}

function anyInput(chance: Chance): Input {
  const isHonest = chance.next() < 0.3;
  const requests = Array.from({ length: 1 + chance.below(3) }, (_, index) =>
    framedRequest(chance, isHonest || (index === 0 && chance.next() < 0.5)),
  );
  const text = requests.map((request) => request.text).join('') + (isHonest ? '' : leftover(chance));
  const made = Buffer.from(text, 'latin1');
  const bytes = !isHonest && chance.next() < 0.3 ? mutate(made, chance) : made;
  const bodies = new Set(['', ...requests.map(({ body }) => body)]);
  return { bytes, bodies, reading: readRequests(bytes), isOrdered: chance.next() < 0.7 };
}

interface Played {
  readonly answers: readonly SeenAnswer[];
  /** By the server, before the client did. */
  readonly isClosed: boolean;
  readonly fault: string | undefined;
}

/** A client of one input. */
class Client {
  readonly #socket: Socket;
  readonly #methods: readonly string[];
  #received = Buffer.alloc(0);
  #wake: (() => void) | undefined;
  isClosed = false;
  answers: readonly SeenAnswer[] = [];

  constructor(port: number, methods: readonly string[]) {
    this.#methods = methods;
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.answers = readAnswers(this.#received, false, this.#methods);
      this.#wake?.();
    });
    this.#socket.on('close', () => {
      this.isClosed = true;
      this.answers = readAnswers(this.#received, true, this.#methods);
      this.#wake?.();
    });
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get text(): string {
    return this.#received.toString('latin1');
  }

  /** False when it is not so in time. */
  async when(isSo: () => boolean): Promise<boolean> {
    if (isSo()) return true;
    const patience = { isOver: false };
    const timer = setTimeout(() => {
      patience.isOver = true;
      this.#wake?.();
    }, PATIENCE_MS);
    while (!isSo() && !patience.isOver) await new Promise<void>((resolve) => (this.#wake = resolve));
    clearTimeout(timer);
    return !patience.isOver;
  }
}

/** Those that are whole, and behind them one that cannot become it. */
function readAnswers(bytes: Buffer, isOver: boolean, methods: readonly string[]): readonly SeenAnswer[] {
  const answers: SeenAnswer[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const answer = readAnswer(rest, isOver, methods[answers.length] === 'HEAD');
    if (answer === undefined || answer.end === 'open') break;
    answers.push(answer);
    if (answer.end !== 'whole') break;
    rest = answer.rest;
  }
  return answers;
}

/** In few, or of any size where there are few anyway: what the provider has is read anew with each. */
function pieces(bytes: Buffer, chance: Chance): Iterable<Buffer> {
  if (bytes.length < 1_000 && chance.next() < 0.3) return fragments(bytes, chance);
  const cuts = Array.from({ length: chance.below(5) }, () => chance.below(bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length]
    .map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end))
    .filter(({ length }) => length > 0);
}

async function play(port: number, { bytes, reading, isOrdered }: Input, chance: Chance): Promise<Played> {
  const { requests, ending } = reading;
  const client = new Client(
    port,
    [...requests, ...(reading.open === undefined ? [] : [reading.open])].map(({ method }) => method),
  );
  const answered = (count: number) => client.when(() => client.isClosed || client.answers.length >= count);
  let fault: string | undefined;
  let at = 0;
  for (const [index, end] of [...requests.map((request) => request.end), bytes.length].entries()) {
    if (isOrdered && !(await answered(index))) fault ??= `no answer to request ${index}`;
    // What is not waited behind comes as one piece.
    let together: Buffer[] = [];
    for (const piece of pieces(bytes.subarray(at, end), chance)) {
      together.push(piece);
      if (chance.next() < 0.5) continue;
      client.write(Buffer.concat(together));
      together = [];
      await turn();
      if (client.isClosed) break;
    }
    if (together.length > 0) client.write(Buffer.concat(together));
    at = end;
  }
  // What is read behind a request that ends the connection keeps it for as long as the build waits.
  const last = reading.open === undefined ? requests.at(-1) : undefined;
  const mustClose = ending === 'refused' || (last !== undefined && endsConnection(last) && last.method !== 'HEAD');
  const isDone = mustClose ? await client.when(() => client.isClosed) : await answered(requests.length);
  if (!isDone) fault ??= mustClose ? 'the connection stays open' : 'no answer to the last request';
  const { isClosed } = client;
  client.end();
  if (!(await client.when(() => client.isClosed))) fault ??= 'the connection does not end';
  client.destroy();
  return { answers: client.answers, isClosed, fault };
}

/** Until nothing of the input is under way any more. */
async function settled({ gateway, provider }: Lane): Promise<boolean> {
  const until = performance.now() + PATIENCE_MS;
  for (let turns = 0; turns < 2 || gateway.relay.activeCount > 0 || provider.isReading; turns += 1) {
    if (performance.now() > until) return false;
    await turn();
  }
  return true;
}

const ROUTES: Readonly<Record<string, readonly [methods: string, upstream: string, type: string]>> = {
  '/v1/embeddings': ['POST', '/v1/embeddings', 'application/json'],
  '/v1/chat/completions': ['POST', '/v1/chat/completions', 'application/json'],
  '/v1/responses': ['POST', '/v1/responses', 'application/json'],
  '/v1/audio/transcriptions': ['POST', '/v1/audio/transcriptions', 'multipart/form-data; boundary=b'],
  '/vello/transcribe': ['POST', '/v1/audio/transcriptions', 'multipart/form-data; boundary=b'],
  '/v1/models': ['GET HEAD', '/v1/models', ''],
  '/v1/models/m-1': ['GET HEAD', '/v1/models/m-1', ''],
};

const pathOf = ({ target }: ReadRequest): string => target.split('?', 1)[0] ?? '';
const valueOf = ({ headers }: ReadRequest, name: string): string | undefined => {
  const values = headers.filter(([given]) => given === name).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(', ');
};

/** What a request is answered with, where that is certain. */
function statusOf(request: ReadRequest, bodies: ReadonlySet<string>): number | undefined {
  const { method, body, weakness } = request;
  if (weakness !== undefined) return undefined;
  const [methods = '', , type] = ROUTES[pathOf(request)] ?? [];
  // A refusal that needs no body is out before it: with the end of the connection it may be lost.
  if (body.length > 0 && endsConnection(request) && !(method === 'POST' && ROUTES[pathOf(request)])) return undefined;
  if (pathOf(request) === '/nowhere') return 404;
  if (pathOf(request) === '/v1/models' && method === 'PUT') return 405;
  if (!methods.split(' ').includes(method)) return undefined;
  const token = valueOf(request, 'authorization');
  // Whoever announces that he waits, and does not, may lose the refusal to a reset.
  if (token === 'Bearer unknown') return valueOf(request, 'expect') === undefined ? 401 : undefined;
  const isFitting =
    type === '' ||
    (valueOf(request, 'content-type') === type && bodies.has(body.toString('latin1')) && body.length > 0);
  return token === 'Bearer good' && valueOf(request, 'x-session-id') === SESSION && isFitting ? 200 : undefined;
}

const PASSED = [
  'content-type',
  'accept',
  'accept-language',
  'openai-beta',
  'traceparent',
  'tracestate',
  'idempotency-key',
];
const BEYOND_ASCII = /[^\t\x20-\x7e]/;
const ALWAYS = ['accept-encoding', 'authorization', 'connection', 'host', 'user-agent'];

/** Why what the provider saw is not what the client sent; undefined where it is. */
function differs({ request: seen, isWhole }: SeenRequest, sent: ReadRequest, isSentWhole: boolean): string | undefined {
  const [, upstream] = ROUTES[pathOf(sent)] ?? [];
  if (seen.method !== sent.method || (upstream !== undefined && seen.target !== upstream)) return 'another request';
  const hidden = optionsOf(sent.headers);
  const passed = PASSED.filter((name) => (valueOf(sent, name) ?? '') !== '' && !hidden.includes(name));
  const framing = sent.method !== 'POST' ? [] : [seen.isChunked ? 'transfer-encoding' : 'content-length'];
  const names = seen.headers.map(([name]) => name).sort();
  const expected = [...ALWAYS, ...passed, ...framing].sort();
  if (names.join() !== expected.join()) return `headers ${names.join()}, and not ${expected.join()}`;
  for (const name of passed) {
    const [value, given] = [valueOf(seen, name) ?? '', valueOf(sent, name) ?? ''];
    // A key is told apart by its user, in a hash; text beyond ASCII passes as the characters that it can be read as.
    const isSame = name === 'idempotency-key' ? /^[\w-]{43}$/.test(value) : value === given || BEYOND_ASCII.test(given);
    if (!isSame) return `${name}: ${value}`;
  }
  if (valueOf(seen, 'authorization') !== `Bearer ${PROVIDER_KEY}`) return 'another key';
  const body = sent.method === 'POST' ? sent.body : Buffer.alloc(0);
  // The body of a GET goes to nobody, and is not waited for.
  if (isWhole && !isSentWhole && sent.method === 'POST') return 'a request that was never whole';
  return (isWhole ? seen.body.equals(body) : body.subarray(0, seen.body.length).equals(seen.body))
    ? undefined
    : 'another body';
}

function judgeSeen(seen: readonly SeenRequest[], { requests, open, ending }: Reading): string | undefined {
  const sent = open === undefined ? requests : [...requests, open];
  let next = 0;
  for (const one of seen) {
    const reasons: string[] = [];
    let isFound = false;
    while (!isFound && next < sent.length) {
      const reason = differs(one, sent[next]!, next < requests.length);
      next += 1;
      isFound = reason === undefined;
      if (reason !== undefined) reasons.push(reason);
    }
    if (!isFound && ending !== 'weak')
      return `the provider saw ${one.request.method} ${one.request.target}: ${reasons.join('; ')}`;
  }
  return undefined;
}

function judgeAnswers({ answers, isClosed, fault }: Played, { reading, bodies, isOrdered }: Input): string | undefined {
  if (fault !== undefined) return fault;
  const { requests, open, ending } = reading;
  const statuses = answers.map(({ status }) => status);
  const said = `answered ${statuses.join()} to ${requests.map((request) => statusOf(request, bodies)).join()}, ${ending}`;
  // The build writes its own refusal into an answer that is under way.
  const isReadable = answers.every(({ end }) => end === 'whole');
  if (!isReadable && isOrdered) return `an answer is ${answers.at(-1)?.end}: ${said}`;
  if (ending === 'weak') return undefined;
  const most = requests.length + (open === undefined ? 0 : 1) + (ending === 'clean' ? 0 : 1);
  if (answers.length > most) return `too many: ${said}`;
  for (const [index, request] of requests.entries()) {
    const expected = statusOf(request, bodies);
    const answer = answers[index];
    if (!isOrdered || expected === undefined) break;
    if (answer?.status !== expected) return said;
    if (expected !== 200 || request.method === 'HEAD') break;
    const bytes = request.method === 'POST' ? request.body.length : 0;
    if (answer.body.toString() !== `{"bytes":${bytes}}`) return `${said}: ${answer.body.toString()}`;
  }
  const last = statuses[requests.length];
  if (last !== undefined && last < 400 && (open?.method ?? 'POST') === 'POST')
    return `an answer without a request: ${said}`;
  return ending === 'refused' && !isClosed ? `not refused: ${said}` : undefined;
}

async function isServed(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/models`, {
    headers: { authorization: 'Bearer good' },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  return answer.status === 200 && (await answer.text()) === '{"bytes":0}';
}

t.test(`requests of any framing (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const faults: object[] = [];
  const failures: object[] = [];
  const counts: Record<string, number> = {};
  const count = (what: string, by = 1) => (counts[what] = (counts[what] ?? 0) + by);

  const playInput = async (lane: Lane) => {
    const seed = seeds.below(2 ** 32);
    const chance = chanceFrom(seed);
    const input = anyInput(chance);
    const played = await play(lane.gateway.port, input, chance);
    const isSettled = await settled(lane);
    const { seen, faults: unread } = lane.provider.take();
    const fault =
      judgeAnswers(played, input) ??
      judgeSeen(seen, input.reading) ??
      (unread.length > 0 ? `sent on: ${unread.join('; ')}` : isSettled ? undefined : 'something stays under way');
    count('connections');
    count('requests', input.reading.requests.length);
    count('passed', seen.filter(({ isWhole }) => isWhole).length);
    count(input.reading.ending);
    const weakness = input.reading.requests.at(-1)?.weakness;
    if (weakness !== undefined) count(weakness);
    if (fault !== undefined)
      faults.push({
        seed,
        fault,
        why: input.reading.why,
        seen: seen.map(({ request, isWhole }) => `${request.method} ${request.body.length} ${isWhole}`),
        answers: played.answers.map(({ status, end, body }) => `${status} ${end} ${body.toString().slice(0, 200)}`),
        bytes: input.bytes.toString('latin1'),
      });
  };
  const playLane = async () => {
    const cleanings: (() => void | Promise<void>)[] = [];
    const lane = await openLane({ teardown: (clean) => void cleanings.unshift(clean) });
    for (let inputs = 0; inputs < INPUTS_OF_A_GATEWAY && Date.now() < until && faults.length < 3; inputs += 1) {
      await playInput(lane);
      if (inputs % 100 === 0 && !(await isServed(lane.gateway.port))) faults.push({ fault: 'a plain request fails' });
      lane.provider.take();
    }
    failures.push(...lane.gateway.log.filter(({ level }) => level === 'error'));
    for (const clean of cleanings) await clean();
  };
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (Date.now() < until && faults.length < 3) await playLane();
    }),
  );
  t.strictSame(faults, []);
  t.strictSame(failures, [], 'no callback fails');
  t.ok((counts['passed'] ?? 0) > 0 && (counts['refused'] ?? 0) > 0, JSON.stringify(counts));
  t.comment(JSON.stringify(counts));
});
