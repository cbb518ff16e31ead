import t from 'tap';
import { createRecognitionPool, type RecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { memoryRecogniser } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

function poolWith(members: number, limits = { waiting: 2, waitingBytes: 100 }) {
  const clock = createManualClock();
  const metrics = createMemoryMetrics();
  const pool = createRecognitionPool({ clock, metrics, engine: 'memory', limits });
  const recognisers = Array.from({ length: members }, memoryRecogniser);
  const leave = recognisers.map((recogniser) => pool.add(recogniser));
  return { clock, metrics, pool, recognisers, leave };
}

const ask = (pool: RecognitionPool, name: string, signal = new AbortController().signal): Promise<string> =>
  pool.recognise(Buffer.from(name), { signal }).then(({ text }) => text);

t.test('never has more recordings under way than recognisers, and serves them in order', async (t) => {
  const { pool, recognisers } = poolWith(2);
  const [first, second] = recognisers;
  const answers = ['a', 'b', 'c', 'd'].map((name) => ask(pool, name));
  await settled();
  t.same(pool.counts(), { busy: 2, idle: 0, waiting: 2 });
  t.same(recognisers.map((recogniser) => recogniser.current()).sort(), ['a', 'b']);
  first!.finish();
  await settled();
  t.equal(first!.current(), 'c');
  second!.finish();
  await settled();
  t.equal(second!.current(), 'd');
  recognisers.forEach((recogniser) => recogniser.finish());
  t.same(await Promise.all(answers), ['a', 'b', 'c', 'd']);
  t.same(pool.counts(), { busy: 0, idle: 2, waiting: 0 });
});

t.test('refuses what goes beyond the queue, and says when to come back', async (t) => {
  const { pool, recognisers, clock, metrics } = poolWith(1);
  const answers = ['a', 'b', 'c'].map((name) => ask(pool, name));
  await settled();
  const refused = { code: 'ENGINE_BUSY', status: 503, extras: { retryAfterMs: 1000 } };
  await t.rejects(ask(pool, 'd'), refused);
  for (let turn = 0; turn < 3; turn++) {
    clock.advance(1000);
    recognisers[0]!.finish();
    await settled();
  }
  await Promise.all(answers);
  t.equal(metrics.value('vello_recognitions_total', { engine: 'memory', outcome: 'ok' }), 3);
  t.equal(metrics.value('vello_recognitions_total', { engine: 'memory', outcome: 'busy' }), 1);
});

t.test('bounds what waits by size as well as by number', async (t) => {
  const { pool } = poolWith(0);
  ask(pool, 'x'.repeat(80)).catch(() => undefined);
  await t.rejects(ask(pool, 'y'.repeat(30)), { code: 'ENGINE_BUSY' });
  pool.close();
});

t.test('takes a caller who went away out of the queue', async (t) => {
  const { pool, recognisers } = poolWith(1);
  const leaving = new AbortController();
  const [first, second, third] = [ask(pool, 'a'), ask(pool, 'b', leaving.signal), ask(pool, 'c')];
  leaving.abort();
  await t.rejects(second, { name: 'AbortError' });
  recognisers[0]!.finish();
  await settled();
  t.equal(recognisers[0]!.current(), 'c');
  recognisers[0]!.finish();
  t.same(await Promise.all([first, third]), ['a', 'c']);
});

t.test('gives a broken recogniser no further recording', async (t) => {
  const { pool, recognisers } = poolWith(1);
  const [first, second] = [ask(pool, 'a'), ask(pool, 'b')];
  recognisers[0]!.die(new Error('broken'));
  await t.rejects(first, { code: 'ENGINE_FAILED' });
  t.same(pool.counts(), { busy: 0, idle: 0, waiting: 1 });
  const replacement = memoryRecogniser();
  pool.add(replacement);
  await settled();
  replacement.finish();
  t.equal(await second, 'b');
});

t.test('gives nothing to a recogniser that was taken back', async (t) => {
  const { pool, leave } = poolWith(1);
  leave[0]!();
  const answer = ask(pool, 'a');
  await settled();
  t.same(pool.counts(), { busy: 0, idle: 0, waiting: 1 });
  pool.close();
  await t.rejects(answer, { code: 'SHUTTING_DOWN' });
});

t.test('refuses everybody once closed, and nobody once it is open again', async (t) => {
  const { pool, recognisers } = poolWith(1);
  pool.close();
  await t.rejects(ask(pool, 'a'), { code: 'SHUTTING_DOWN' });
  pool.open();
  const answer = ask(pool, 'b');
  await settled();
  recognisers[0]!.finish();
  t.equal(await answer, 'b');
});

const lasting = (seconds: number): Buffer =>
  wavFile({ sampleRate: 8000, channels: 1, bitsPerSample: 8 }, new Uint8Array(seconds * 8000));

t.test('lets a short recording pass a long one that waits, but not for ever', async (t) => {
  const { pool, recognisers, clock } = poolWith(1, { waiting: 10, waitingBytes: 10_000_000 });
  const order: string[] = [];
  const send = (name: string, file: Buffer) =>
    pool.recognise(file, { signal: new AbortController().signal }).then(() => order.push(name));
  const all = [send('first', lasting(1)), send('long', lasting(30)), send('short', lasting(2))];
  await settled();
  clock.advance(40_000);
  all.push(send('late', lasting(2)));
  for (let turn = 0; turn < 4; turn++) {
    recognisers[0]!.finish();
    await settled();
  }
  await Promise.all(all);
  t.same(order, ['first', 'short', 'long', 'late']);
});
