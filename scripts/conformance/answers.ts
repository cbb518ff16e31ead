/** Cases: what a client gets is what the provider answered. */
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { SeenAnswer } from './seen-answer.ts';
import { chunk, no, STREAM_HEAD, yes, type ConformanceCase, type Finding, type Stage } from './stage.ts';

/** Each way in which an event stream may be written, and none that a pair of clever hands would write so. */
const ODD_EVENTS = Buffer.from(
  '\ufeff: a comment\r\n\r\nevent: x\rdata: one\r\rdata: {"choices":[]}\ndata: \u00e9\u{1f600}\n\nid\n\ndata:no blank\r\n\r\n\n\ndata: [DONE]\n\n',
);
const ODD_SIZES = [1, 2, 3, 5, 7, 11, 13];

export const ANSWER_CASES: readonly ConformanceCase[] = [
  {
    name: 'interim',
    title: 'interim answers (103, 100) are not the answer',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      request.send('HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n');
      await pause(20);
      request.send('HTTP/1.1 100 Continue\r\n\r\n');
      await pause(20);
      request.reply(200, { 'Content-Type': 'application/json' }, '{"text":"done"}');
      const answer = await stage.answerOf(client);
      const found = same(answer, Buffer.from('{"text":"done"}'));
      return found.isGood === true && answer?.interim.length !== 0 ? yes('yes, passes them on') : found;
    },
  },
  {
    name: 'events-bytes',
    title: 'an event stream passes byte for byte, however it is cut',
    pace: 'quick',
    on: (route) => route.answersInStream,
    async play(stage) {
      const { client, request } = await stage.ask({ asksForStream: true });
      request.send(STREAM_HEAD);
      let at = 0;
      for (let turn = 0; at < ODD_EVENTS.length; turn += 1) {
        const size = ODD_SIZES[turn % ODD_SIZES.length] ?? 1;
        request.send(chunk(ODD_EVENTS.subarray(at, at + size)));
        at += size;
        await pause(1);
      }
      request.send('0\r\n\r\n');
      request.answered();
      return same(await stage.answerOf(client), ODD_EVENTS);
    },
  },
  {
    name: 'length',
    title: 'a length that the provider announces reaches the client',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      const body = Buffer.from(`{"text":"${'x'.repeat(100_000)}"}`);
      request.reply(200, { 'Content-Type': 'application/json' }, body);
      const answer = await stage.answerOf(client);
      const found = same(answer, body);
      if (found.isGood !== true) return found;
      return answer?.values('content-length').join() === String(body.length) ? yes() : no('loses it');
    },
  },
  {
    name: 'coding',
    title: 'an answer that is compressed can be read by what its headers say',
    pace: 'quick',
    async play(stage) {
      const { client, request } = await stage.ask();
      const body = Buffer.from('{"text":"a compressed answer"}');
      request.reply(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }, gzipSync(body));
      const answer = await stage.answerOf(client);
      if (answer?.end !== 'whole') return no(answer?.end ?? 'no answer');
      const isCoded = answer.values('content-encoding').join() === 'gzip';
      try {
        const plain = isCoded ? gunzipSync(answer.body) : answer.body;
        return plain.equals(body) ? yes(isCoded ? 'yes, coded' : 'yes, decoded') : no('garbled');
      } catch {
        return no('garbled');
      }
    },
  },
  {
    name: 'head',
    title: 'the answer to HEAD has the length and no body',
    pace: 'quick',
    on: (route) => route.method === 'GET',
    async play(stage) {
      const { client, request } = await stage.ask({ method: 'HEAD' });
      if (!request.head.startsWith('HEAD ')) return no(`asked by ${request.head.split(' ')[0] ?? ''}`);
      request.send('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 77\r\n\r\n');
      const answer = await stage.answerOf(client, { isHead: true });
      await pause(50);
      const rest = (await stage.answerOf(client, { isHead: true }))?.rest.length ?? 0;
      if (answer === undefined) return no('no answer');
      if (rest > 0) return no('a body');
      return answer.values('content-length').join() === '77' ? yes() : no('loses the length');
    },
  },
  {
    name: 'no-content',
    title: 'a 204 has no body, and the connection serves on or ends',
    pace: 'quick',
    play: (stage) => bodiless(stage, 204),
  },
  {
    name: 'not-modified',
    title: 'so has a 304, or whatever it is answered with is whole',
    pace: 'quick',
    play: (stage) => bodiless(stage, 304),
  },
];

/** Asks again behind it: what is left over of the first answer would be taken for a part of the second. */
async function bodiless(stage: Stage, status: 204 | 304): Promise<Finding> {
  const { client, request } = await stage.ask();
  request.send(`HTTP/1.1 ${status} Said\r\n\r\n`);
  const first = await stage.answerOf(client);
  request.finish();
  if (first === undefined) return no('no answer');
  if (first.end !== 'whole') return no(`${first.status}, ${first.end}`);
  if (first.status === 204 && /^(content-length|transfer-encoding):/im.test(first.head)) return no('204 with a frame');
  await pause(50);
  if (client.isEnded()) return yes(first.status === status ? 'yes, ends' : `${first.status}`);
  const begunAt = client.receivedBytes;
  client.send(stage.request());
  const next = await Promise.race([stage.upstream.next(), client.ended.then(() => undefined), pause(1_000)]);
  if (next === undefined) return client.isEnded() ? yes('yes, ends') : no('then hangs');
  next.reply(200, { 'Content-Type': 'application/json' }, '{}');
  await client.when(() => client.isEnded() || client.text().endsWith('{}'));
  const second = client.text().slice(begunAt);
  return second.startsWith('HTTP/1.1 200')
    ? yes(first.status === status ? 'yes' : `${first.status}`)
    : no('left-overs');
}

function same(answer: SeenAnswer | undefined, body: Buffer): Finding {
  if (answer === undefined) return no('no answer');
  if (answer.status !== 200 || answer.end !== 'whole') return no(`${answer.status}, ${answer.end}`);
  return answer.body.equals(body) ? yes() : no('changed');
}
