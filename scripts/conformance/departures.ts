/** Cases: who leaves ends what was begun for him. A transcription whose recording was sent is read to its end all the same (contract §4). */
import { setTimeout as pause } from 'node:timers/promises';
import { chunk, EVENT, no, within, yes, type ConformanceCase, type Finding } from './stage.ts';
import type { ScriptedRequest } from './scripted-upstream.ts';

/** Contract §4. */
const SOON_MS = 1_000;
const LONG_UPLOAD = 600_000;

export const DEPARTURE_CASES: readonly ConformanceCase[] = [
  {
    name: 'abort-stream',
    title: 'who leaves in mid-stream ends the call of the provider',
    pace: 'quick',
    on: (route) => route.answersInStream && !route.isTranscription,
    async play(stage) {
      const { client, request } = await stage.askForStream();
      client.close();
      return endsSoon(request, () => request.send(chunk(EVENT)));
    },
  },
  {
    name: 'abort-early',
    title: 'so does who leaves before the answer',
    pace: 'quick',
    on: (route) => !route.isTranscription,
    async play(stage) {
      const { client, request } = await stage.ask();
      client.close();
      return endsSoon(request);
    },
  },
  {
    name: 'abort-upload',
    title: 'so does who leaves in mid-upload',
    pace: 'quick',
    on: (route) => route.streams,
    async play(stage) {
      const client = await stage.connect();
      const body = stage.route.bodyOf(LONG_UPLOAD);
      client.send(stage.request({ body }).subarray(0, -LONG_UPLOAD / 3));
      const next = stage.upstream.next();
      if (!(await within(SOON_MS, next))) return yes('yes, it never began');
      client.close();
      return endsSoon(await next);
    },
  },
];

/** `meanwhile`: what the provider goes on to send; some notice only then. */
async function endsSoon(request: ScriptedRequest, meanwhile: () => void = () => undefined): Promise<Finding> {
  const startedMs = performance.now();
  while (!request.isClosed() && performance.now() - startedMs < 2 * SOON_MS) {
    meanwhile();
    await Promise.race([request.closed, pause(50)]);
  }
  const elapsedMs = performance.now() - startedMs;
  if (!request.isClosed()) return no('no');
  return elapsedMs <= SOON_MS ? yes() : no(`after ${Math.round(elapsedMs)} ms`);
}
