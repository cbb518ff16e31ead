/** Whom the recognition pool lets in, and what it makes of recordings that come to nothing. */
import t from 'tap';
import { createRecognitionPool, type RecognitionLimits } from '../../../actors/inference/recognition-pool.ts';
import { VelloError } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { memoryRecogniser } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

const LARGE = 50_000_000;

function createPool(members: number, limits: Partial<RecognitionLimits> = {}) {
  const metrics = createMemoryMetrics();
  const roomy = { waiting: 10, waitingBytes: LARGE, waitingOfOne: 10, waitingBytesOfOne: LARGE, begun: 2 };
  const parts = { clock: createManualClock(), metrics, engine: 'memory', limits: { ...roomy, ...limits } };
  const pool = createRecognitionPool(parts);
  const recognisers = Array.from({ length: members }, memoryRecogniser);
  recognisers.forEach((recogniser) => pool.add(recogniser));
  const ask = (file: Buffer, signal = new AbortController().signal) => pool.recognise(file, { signal });
  const outcomes = (outcome: string) => metrics.value('vello_recognitions_total', { engine: 'memory', outcome });
  return { pool, recogniser: recognisers[0], ask, outcomes };
}

t.test('the bounds of the queue do not concern who need not wait', async (t) => {
  const { ask, recogniser } = createPool(1, { waiting: 0, waitingBytes: 10 });
  const answer = ask(Buffer.alloc(50));
  await t.rejects(ask(Buffer.alloc(5)), { code: 'ENGINE_BUSY' });
  recogniser?.finish('heard');
  t.match(await answer, { text: 'heard' });
});

t.test('as many bytes may wait as are said, of all and of one', async (t) => {
  for (const limits of [{ waitingBytes: 100 }, { waitingBytesOfOne: 100 }]) {
    const { ask, pool } = createPool(0, limits);
    const waiting = [80, 20].map((length) => ask(Buffer.alloc(length)));
    await t.rejects(ask(Buffer.alloc(1)), { code: 'ENGINE_BUSY' });
    t.equal(pool.counts().waiting, 2);
    pool.close();
    t.equal(pool.counts().waiting, 0);
    await Promise.allSettled(waiting);
  }
});

t.test('who left before his recording arrived takes no place', async (t) => {
  const { ask, pool, outcomes } = createPool(1);
  await t.rejects(ask(Buffer.alloc(5), AbortSignal.abort()), { name: 'AbortError' });
  t.same(pool.counts(), { busy: 0, idle: 1, waiting: 0 });
  t.equal(outcomes('aborted'), 1);
});

t.test('who leaves while his recording is worked on makes room for the next', async (t) => {
  const { ask, recogniser, outcomes } = createPool(1);
  const leaving = new AbortController();
  const [gone, next] = [ask(Buffer.from('gone'), leaving.signal), ask(Buffer.from('next'))];
  await settled();
  leaving.abort();
  await t.rejects(gone, { name: 'AbortError' });
  await settled();
  t.equal(recogniser?.current(), 'next');
  recogniser?.finish();
  await next;
  t.same([outcomes('aborted'), outcomes('ok')], [1, 1]);
});

/** Only a recogniser that says of itself that it has ended leaves the pool: its actor hears of that, and brings another. */
for (const [error, outcome, idle] of [
  [new VelloError('AUDIO_WITHOUT_SPEECH'), 'refused', 1],
  [new VelloError('INTERNAL'), 'failed', 1],
  [new VelloError('ENGINE_FAILED'), 'failed', 0],
  [new DOMException('late', 'TimeoutError'), 'failed', 1],
  [new Error('a defect'), 'failed', 1],
] as const) {
  t.test(`a recording that ends with ${error.name} ${error.message} counts as ${outcome}`, async (t) => {
    const { ask, pool, recogniser, outcomes } = createPool(1);
    const answer = ask(Buffer.from('a'));
    await settled();
    recogniser?.fail(error);
    await t.rejects(answer, error);
    t.equal(outcomes(outcome), 1);
    t.equal(pool.counts().idle, idle);
  });
}

t.test('what is as long as may be is let in, and what only seems longer by its bytes', async (t) => {
  const most = LIMITS.recognition.longestSeconds;
  const { ask, pool, outcomes } = createPool(0);
  const longest = wavFile({ sampleRate: 1000, channels: 1, bitsPerSample: 8 }, new Uint8Array(most * 1000));
  const waiting = [ask(longest), ask(Buffer.alloc(30_000_000, 'x'))];
  await settled();
  t.equal(pool.counts().waiting, 2);
  t.equal(outcomes('refused'), 0);
  pool.close();
  await Promise.allSettled(waiting);
});
