/** Cases: a request that two readers could read differently is refused, or passed on in a form that all read alike (RFC 9112 §6, §11.2). */
import { setTimeout as pause } from 'node:timers/promises';
import { no, within, yes, type ConformanceCase, type Finding, type Stage } from './stage.ts';
import type { ScriptedRequest } from './scripted-upstream.ts';

interface Ambiguous {
  readonly name: string;
  readonly title: string;
  /** The lines that frame the body. */
  readonly framing: string;
  /** As it stands behind the head; `whole` is what the route takes. */
  readonly body: string | ((whole: string) => string);
  /** There is no right way to read it, or none of a gateway's. */
  readonly mustBeRefused?: true;
  /** The whole head, where lines are not enough. */
  readonly rewrite?: (head: string) => string;
}

/** A request that hides in a body. */
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: gateway\r\n\r\n';
const EMPTY_CHUNKS = `0\r\n\r\n${HIDDEN}`;
const sized = (size: string) => `${size}\r\nhello\r\n0\r\n\r\n`;

const AMBIGUOUS: readonly Ambiguous[] = [
  {
    ...{ name: 'length-and-chunks', title: 'Content-Length and Transfer-Encoding together' },
    ...{ framing: `Content-Length: ${EMPTY_CHUNKS.length}\r\nTransfer-Encoding: chunked`, body: EMPTY_CHUNKS },
  },
  {
    ...{ name: 'two-lengths', title: 'two lengths' },
    ...{ framing: `Content-Length: 2\r\nContent-Length: ${2 + HIDDEN.length}`, body: `{}${HIDDEN}` },
  },
  {
    ...{ name: 'length-list', title: 'a length of two numbers' },
    ...{ framing: 'Content-Length: 2, 7', body: `{}${HIDDEN}` },
  },
  {
    ...{ name: 'length-signed', title: 'a length with a sign' },
    ...{ framing: 'Content-Length: +2', body: `{}${HIDDEN}` },
  },
  {
    ...{ name: 'coding-list', title: 'Transfer-Encoding: gzip, chunked' },
    ...{ framing: 'Transfer-Encoding: gzip, chunked', body: sized('5'), mustBeRefused: true },
  },
  {
    ...{ name: 'coding-unknown', title: 'Transfer-Encoding: xchunked' },
    ...{ framing: 'Transfer-Encoding: xchunked', body: sized('5'), mustBeRefused: true },
  },
  {
    ...{ name: 'coding-twice', title: 'two Transfer-Encodings' },
    ...{ framing: 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', body: EMPTY_CHUNKS },
  },
  {
    ...{ name: 'folded', title: 'a header that is folded over two lines' },
    ...{ framing: 'Transfer-Encoding:\r\n chunked', body: sized('5') },
  },
  {
    ...{ name: 'blank-before-colon', title: 'a blank before the colon' },
    ...{ framing: 'Transfer-Encoding : chunked', body: EMPTY_CHUNKS },
  },
  {
    ...{ name: 'bare-feeds', title: 'lines that end in a bare LF' },
    ...{ framing: 'Content-Length: 2', body: '{}', rewrite: (head) => head.replaceAll('\r\n', '\n') },
  },
  {
    ...{ name: 'chunk-extension', title: 'a chunk extension, which is valid' },
    framing: 'Transfer-Encoding: chunked',
    body: (whole) => `${whole.length.toString(16)};a=b\r\n${whole}\r\n0\r\n\r\n`,
  },
  {
    ...{ name: 'chunk-extension-odd', title: 'a chunk extension with a bare LF in it' },
    ...{ framing: 'Transfer-Encoding: chunked', body: (whole) => `2;a=\n2\r\n${whole}\r\n0\r\n\r\n` },
  },
  {
    ...{ name: 'chunk-overflow', title: 'a chunk size beyond 64 bits' },
    ...{ framing: 'Transfer-Encoding: chunked', body: sized('10000000000000005') },
  },
  {
    ...{ name: 'chunk-size-odd', title: 'a chunk size of 0x5' },
    ...{ framing: 'Transfer-Encoding: chunked', body: sized('0x5') },
  },
  {
    ...{ name: 'chunk-end-odd', title: 'a chunk that is longer than it says' },
    ...{ framing: 'Transfer-Encoding: chunked', body: '5\r\nhelloXX0\r\n\r\n' },
  },
  {
    ...{ name: 'trailers', title: 'trailers of a request, which end at the gateway' },
    ...{ framing: 'Transfer-Encoding: chunked', body: '2\r\n{}\r\n0\r\nX-Last: 1\r\nContent-Length: 9\r\n\r\n' },
  },
  {
    ...{ name: 'two-hosts', title: 'two hosts' },
    ...{ framing: 'Host: other\r\nContent-Length: 2', body: '{}', mustBeRefused: true },
  },
];

export const FRAMING_CASES: readonly ConformanceCase[] = [
  ...AMBIGUOUS.map((ambiguous): ConformanceCase => ({
    ...ambiguous,
    pace: 'quick',
    play: (stage) => play(stage, ambiguous),
  })),
  {
    name: 'paths',
    title: 'a path that leads elsewhere leads nowhere (.., //, %2e, absolute)',
    pace: 'quick',
    async play(stage) {
      const { path } = stage.route;
      const forms = [
        ...[`/x/..${path}`, `${path}/../../admin`, `/${path}`, `${path}/%2e%2e/admin`, `/.${path}`],
        ...[`http://elsewhere.example${path}`, `\\${path.slice(1)}`, `${path}%00`, `${path}#x`],
      ];
      const passed: string[] = [];
      for (const target of forms) {
        const client = await stage.connect();
        client.send(stage.request({ target }));
        const next = stage.upstream.next();
        const answered = stage.answerOf(client, { withinMs: 500 });
        const request = await Promise.race([next, answered.then(() => undefined)]);
        if (request !== undefined && request.target.split('?')[0] !== path) passed.push(target);
        client.close();
        stage.upstream.forget();
      }
      return passed.length === 0 ? yes() : no(`passes on ${passed.length} of ${forms.length}`);
    },
  },
  {
    name: 'large-head',
    title: 'a head of 80 kB is refused alike in one packet and in many',
    pace: 'quick',
    async play(stage) {
      const line = `X-Large: ${'x'.repeat(1_000)}`;
      const head = Buffer.from(stage.head({ lines: Array.from({ length: 80 }, () => line) }), 'latin1');
      const statuses: string[] = [];
      for (const pieces of [1, 40]) {
        const client = await stage.connect();
        const size = Math.ceil(head.length / pieces);
        for (let at = 0; at < head.length && !client.isEnded(); at += size) {
          client.send(head.subarray(at, at + size));
          if (pieces > 1) await pause(2);
        }
        const answer = await stage.answerOf(client, { withinMs: 1_000 });
        statuses.push(String(answer?.status ?? (client.isEnded() ? 'closed' : 'hangs')));
      }
      const [one = '', many = ''] = statuses;
      if (one !== many) return no(`${one} or ${many}`);
      return /^4\d\d$/.test(one) ? yes(one) : no(one);
    },
  },
  {
    name: 'many-headers',
    title: 'a request of 300 headers gets an answer',
    pace: 'quick',
    async play(stage) {
      const client = await stage.connect();
      client.send(stage.request({ lines: Array.from({ length: 300 }, (_, at) => `X-Some-${at}: 1`) }));
      const next = stage.upstream.next().then((request) => request.reply(200, {}, '{}'));
      const answer = await stage.answerOf(client, { withinMs: 1_000 });
      void next;
      if (answer === undefined) return no(client.isEnded() ? 'closed' : 'hangs');
      return yes(String(answer.status));
    },
  },
];

async function play(stage: Stage, ambiguous: Ambiguous): Promise<Finding> {
  const { framing, body: given, mustBeRefused, rewrite } = ambiguous;
  // What the case before has set off may still be on its way.
  await pause(20);
  stage.upstream.forget();
  const client = await stage.connect();
  const plain = stage.head({ framing });
  const head = rewrite === undefined ? plain : rewrite(plain);
  const body = typeof given === 'string' ? given : given(stage.route.bodyOf(10).toString('latin1'));
  client.send(Buffer.from(head + body, 'latin1'));
  const first = await Promise.race([
    stage.upstream.next(),
    stage.answerOf(client, { withinMs: 600 }).then(() => undefined),
  ]);
  if (first === undefined) return refused(stage, client.text(), client.isEnded());
  await within(200, first.whole());
  const isWhole = first.isWhole();
  if (isWhole) first.reply(200, { 'Content-Type': 'application/json' }, '{}');
  // Whoever sees a second request in the body passes it on, or answers it himself.
  const second = await Promise.race([stage.upstream.next(), pause(200)]);
  const answers = [...client.text().matchAll(/HTTP\/1\.1 ([2-5]\d\d)/g)].map(([, status]) => status);
  if (second !== undefined && second.target !== first.target) return no('reads two requests');
  const fault = faultOf(first, stage.upstream.transcript());
  if (fault !== undefined) return no(fault);
  if (answers.length > 1 && answers[1] !== '400') return no('two answers');
  if (!isWhole && answers.length === 0 && !first.isClosed()) return no('waits with the provider');
  if (mustBeRefused === true && answers[0] === '200') return no('passes it on');
  return yes(`yes, ${answers[0] ?? 'closed'}`);
}

/** Without a word to the provider. */
function refused(stage: Stage, text: string, isEnded: boolean): Finding {
  const answers = [...text.matchAll(/HTTP\/1\.1 ([2-5]\d\d)/g)].map(([, status]) => status);
  const [only = 'closed', second] = answers;
  if (answers.length === 0 && !isEnded) return stage.route.takesBody ? no('waits') : no('hangs');
  if (second !== undefined && second !== '400') return no('two answers');
  return yes(only);
}

/** What another reader could misread in what the provider was sent. */
function faultOf(request: ScriptedRequest, transcript: string): string | undefined {
  const lines = request.head.split('\n').slice(1);
  const count = (name: string) => lines.filter((line) => new RegExp(`^${name}\\s*:`, 'i').test(line)).length;
  if (lines.some((line) => /^\s/.test(line))) return 'passes on a fold';
  if (request.head.replaceAll('\r\n', '').includes('\n')) return 'passes on bare LF';
  if (count('content-length') + count('transfer-encoding') > 1) return 'passes on both';
  if (count('host') > 1) return 'passes on both';
  const coding = request.header('transfer-encoding');
  if (coding !== undefined && coding !== 'chunked') return `passes on ${coding}`;
  const length = request.header('content-length');
  if (length !== undefined && !/^\d+$/.test(length)) return `passes on ${length}`;
  if (transcript.includes('X-Last')) return 'passes on trailers';
  return undefined;
}
