/** Cases: a body is passed on while it comes, and whoever ends it is heard. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RawClient } from './raw-client.ts';
import { chunk, no, NOTHING_ASKED, within, yes, type ConformanceCase } from './stage.ts';

const LONG_UPLOAD = 1_000_000;
const HUGE_UPLOAD = 8_000_000;
/** Compressed live speech. */
const SPEECH_BYTES = 600;
const SPEECH_MS = 200;
/** Longer than the ten seconds after which uWebSockets.js ends what is slower than 16 kB/s. */
const SPEECH_TURNS = 75;
const PATIENCE_MS = 20_000;

export const UPLOAD_CASES: readonly ConformanceCase[] = [
  {
    name: 'upload-streamed',
    title: 'an upload of 1 MB reaches the provider while it is sent, and unchanged',
    pace: 'quick',
    on: (route) => route.streams,
    async play(stage) {
      const client = await stage.connect();
      const body = stage.route.bodyOf(LONG_UPLOAD);
      const bytes = stage.request({ body });
      client.send(bytes.subarray(0, -LONG_UPLOAD / 3));
      const next = stage.upstream.next();
      const isStreamed = await within(
        1_000,
        next.then(async (request) => request.received(100_000)),
      );
      client.send(bytes.subarray(-LONG_UPLOAD / 3));
      if (!(await within(3_000, next))) return no('never arrives');
      const request = await next;
      if (!(await within(3_000, request.whole()))) return no('never whole');
      if (!stage.route.isSame(await request.whole(), body)) return no(isStreamed ? 'changed' : 'buffered, changed');
      request.reply(200, { 'Content-Type': 'application/json' }, '{}');
      const answer = await stage.answerOf(client);
      if (answer?.status !== 200) return no(`then ${answer?.status ?? 'no answer'}`);
      return isStreamed ? yes() : no('buffered');
    },
  },
  {
    name: 'upload-chunked',
    title: 'so does one in chunks of odd sizes',
    pace: 'quick',
    on: (route) => route.takesBody,
    async play(stage) {
      const client = await stage.connect();
      const body = stage.route.bodyOf(60_000);
      client.send(stage.head({ body, framing: 'Transfer-Encoding: chunked' }));
      for (let at = 0, size = 1; at < body.length; at += size, size = (size * 7) % 9_973) {
        client.send(chunk(body.subarray(at, at + size)));
      }
      client.send('0\r\n\r\n');
      const next = stage.upstream.next();
      if (
        !(await within(
          2_000,
          next.then(async (request) => request.whole()),
        ))
      ) {
        const answer = await stage.answerOf(client, { withinMs: 100 });
        return no(answer === undefined ? 'never arrives' : String(answer.status));
      }
      return stage.route.isSame(await (await next).whole(), body) ? yes() : no('changed');
    },
  },
  {
    name: 'refused-upload',
    title: "the provider's refusal in mid-upload reaches who still sends",
    pace: 'quick',
    on: (route) => route.streams,
    async play(stage) {
      const client = await stage.connect();
      const bytes = stage.request({ body: stage.route.bodyOf(HUGE_UPLOAD) });
      const sent = sendSteadily(client, bytes);
      const next = stage.upstream.next();
      if (!(await within(2_000, next))) return no('never arrives');
      const request = await next;
      await within(1_000, request.received(1));
      request.reply(413, { 'Content-Type': 'application/json', Connection: 'close' }, '{"error":{"message":"large"}}');
      request.stall();
      request.finish();
      await sent;
      const answer = await stage.answerOf(client, { withinMs: 5_000 });
      if (answer === undefined) return no(client.isEnded() ? 'lost to a reset' : 'hangs');
      return answer.status === 413 ? yes() : no(String(answer.status));
    },
  },
  {
    name: 'refused-caller',
    title: 'a refusal of our own does so too',
    pace: 'quick',
    on: (route) => route.takesBody,
    async play(stage) {
      if (!stage.arm.doesWholeJob) return NOTHING_ASKED;
      const client = await stage.connect();
      const body = stage.route.bodyOf(HUGE_UPLOAD);
      await sendSteadily(client, stage.request({ body, authorization: 'Authorization: Bearer wrong' }));
      const answer = await stage.answerOf(client, { withinMs: 5_000 });
      if (answer === undefined) return no(client.isEnded() ? 'lost to a reset' : 'hangs');
      return answer.status === 401 ? yes() : no(String(answer.status));
    },
  },
  {
    name: 'slow-upload',
    title: 'an upload of 3 kB/s survives (15 s of it)',
    pace: 'patient',
    on: (route) => route.takesBody,
    async play(stage) {
      const client = await stage.connect();
      const body = stage.route.bodyOf(SPEECH_BYTES * SPEECH_TURNS);
      const bytes = stage.request({ body });
      const next = stage.upstream.next();
      const startedMs = performance.now();
      for (let at = 0; at < bytes.length; at += SPEECH_BYTES) {
        client.send(bytes.subarray(at, at + SPEECH_BYTES));
        await pause(SPEECH_MS);
        if (client.isEnded()) return no(`ended after ${Math.round((performance.now() - startedMs) / 1_000)} s`);
      }
      if (
        !(await within(
          2_000,
          next.then(async (request) => request.whole()),
        ))
      )
        return no('never arrives');
      return stage.route.isSame(await (await next).whole(), body) ? yes() : no('changed');
    },
  },
  {
    name: 'slow-head',
    title: 'a head that trickles is ended within 20 s (slowloris)',
    pace: 'patient',
    // The route is not known yet.
    on: (route) => !route.takesBody,
    async play(stage) {
      const client = await stage.connect();
      const head = stage.head();
      const startedMs = performance.now();
      for (let at = 0; !client.isEnded(); at += 1) {
        if (performance.now() - startedMs > PATIENCE_MS) return no('open after 20 s');
        client.send(head[at % (head.length - 4)] ?? 'x');
        await Promise.race([client.ended, pause(1_000)]);
      }
      return yes(`after ${Math.round((performance.now() - startedMs) / 1_000)} s`);
    },
  },
];

/** Resolves when all is sent or the connection is gone. Reads meanwhile. */
async function sendSteadily(client: RawClient, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length && !client.isEnded(); at += 64_000) {
    await Promise.race([client.sendAll(bytes.subarray(at, at + 64_000)), client.ended, pause(3_000)]);
  }
}
