import t from 'tap';
import {
  createRecognitionPool,
  type RecognitionLimits,
  type RecognitionPool,
} from '../../../actors/inference/recognition-pool.ts';
import { wavFile } from '../../fixtures/audio-bytes.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { memoryRecogniser, type MemoryRecogniser } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

const roomy = {
  waiting: 10,
  waitingBytes: 50_000_000,
  waitingOfOne: 10,
  waitingBytesOfOne: 50_000_000,
  begun: 2,
};

function poolWith(members: number, limits: RecognitionLimits = { ...roomy, waiting: 2, waitingBytes: 100 }) {
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
  const { pool, recognisers, clock } = poolWith(1, roomy);
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

/** Names the recording in its samples, so that a recogniser of tests can tell what it works on. */
function send(pool: RecognitionPool, name: string, seconds: number, caller?: string, signal?: AbortSignal) {
  const file = lasting(seconds);
  file.write(name.padEnd(4), 44, 'latin1');
  return pool.recognise(file, {
    signal: signal ?? new AbortController().signal,
    ...(caller === undefined ? {} : { caller }),
  });
}
const working = (recogniser: MemoryRecogniser | undefined): string | undefined =>
  recogniser?.current()?.slice(44, 48).trim();

t.test('lets a short recording go first at the next border of a long one under way, which then goes on', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const [recogniser] = recognisers;
  const long = send(pool, 'long', 3000);
  await settled();
  const short = send(pool, 'shrt', 5);
  await settled();
  t.equal(working(recogniser), 'long');
  recogniser?.border(28);
  await settled();
  t.equal(working(recogniser), 'shrt');
  recogniser?.finish();
  await short;
  await settled();
  t.equal(working(recogniser), 'long');
  recogniser?.border(57);
  await settled();
  t.equal(working(recogniser), 'long', 'nobody waits');
  recogniser?.finish();
  await long;
});

t.test('serves the caller first who was served least, whoever came before', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const names = ['a1', 'a2', 'a3', 'a4'];
  const all = names.map((name) => send(pool, name, 20, 'a'));
  await settled();
  all.push(send(pool, 'b1', 25, 'b'), send(pool, 'c1', 25, 'c'));
  const order: (string | undefined)[] = [];
  for (let turn = 0; turn < 6; turn++) {
    order.push(working(recognisers[0]));
    recognisers[0]?.finish();
    await settled();
  }
  await Promise.all(all);
  t.same(order, ['a1', 'b1', 'c1', 'a2', 'a3', 'a4']);
});

t.test('keeps room in the queue for others when one caller fills his share', async (t) => {
  const { pool } = poolWith(0, { ...roomy, waitingOfOne: 2 });
  for (const name of ['a1', 'a2']) send(pool, name, 1, 'a').catch(() => undefined);
  await t.rejects(send(pool, 'a3', 1, 'a'), { code: 'ENGINE_BUSY', detail: /this caller/ });
  send(pool, 'b1', 1, 'b').catch(() => undefined);
  t.equal(pool.counts().waiting, 3);
  const bytes = poolWith(0, { ...roomy, waitingBytesOfOne: 20_000 }).pool;
  send(bytes, 'a1', 1, 'a').catch(() => undefined);
  send(bytes, 'a2', 1, 'a').catch(() => undefined);
  await t.rejects(send(bytes, 'a3', 1, 'a'), { code: 'ENGINE_BUSY', detail: /this caller/ });
  pool.close();
  bytes.close();
});

t.test('says when to come back by the seconds of audio that wait, and how fast they are recognised', async (t) => {
  const { pool, recognisers, clock } = poolWith(1, { ...roomy, waiting: 2 });
  const first = send(pool, 'a1', 1);
  await settled();
  // A second of audio took 2.1 s, instead of the 0.1 s that are guessed at first.
  clock.advance(2100);
  recognisers[0]?.finish();
  await first;
  for (const name of ['a2', 'a3', 'a4']) send(pool, name, 60).catch(() => undefined);
  await t.rejects(send(pool, 'a5', 1), { code: 'ENGINE_BUSY', extras: { retryAfterMs: 60 * 500 } });
  pool.close();
  recognisers[0]?.finish();
});

t.test('refuses at the door what lasts longer than may be, and keeps nobody waiting for that', async (t) => {
  const { pool } = poolWith(0, roomy);
  const file = wavFile({ sampleRate: 4000, channels: 1, bitsPerSample: 8 }, new Uint8Array(2 * 3600 * 4000));
  const refused = pool.recognise(file, { signal: new AbortController().signal });
  await t.rejects(refused, { code: 'AUDIO_TOO_LONG' });
});

t.test('forgets who leaves at a border, and loses nobody to a recogniser that breaks there', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const leaving = new AbortController();
  const gone = send(pool, 'long', 300, 'a', leaving.signal);
  await settled();
  const other = send(pool, 'othr', 200, 'b');
  recognisers[0]?.border(20);
  await settled();
  t.equal(working(recognisers[0]), 'othr');
  leaving.abort();
  await t.rejects(gone, { name: 'AbortError' });
  const third = send(pool, 'thrd', 5, 'c');
  recognisers[0]?.border(20);
  await settled();
  t.equal(working(recognisers[0]), 'thrd');
  recognisers[0]?.die(new Error('broken'));
  await t.rejects(third, { code: 'ENGINE_FAILED' });
  await t.rejects(other, { code: 'ENGINE_FAILED' });
  t.same(pool.counts(), { busy: 0, idle: 0, waiting: 0 });
});

t.test('begins only so many recordings at once, whose ever, and still the first of another caller', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const all = [send(pool, 'a1', 900, 'a')];
  await settled();
  for (const [name, seconds] of [
    ['a2', 500],
    ['a3', 100],
  ] as const) {
    all.push(send(pool, name, seconds, 'a'));
    recognisers[0]?.border(1);
    await settled();
  }
  t.equal(working(recognisers[0]), 'a2', 'two are begun, and a third has to wait');
  all.push(send(pool, 'b1', 10, 'b'));
  recognisers[0]?.border(1);
  await settled();
  t.equal(working(recognisers[0]), 'b1');
  all.push(send(pool, 'b2', 1, 'b'), send(pool, 'c1', 20, 'c'));
  recognisers[0]?.border(1);
  await settled();
  t.equal(working(recognisers[0]), 'c1', 'the second of b waits, though b has only one');
  pool.close();
  recognisers[0]?.die(new Error('over'));
  await Promise.allSettled(all);
});

t.test('shows how many recognisers are busy and idle, and how many recordings wait', async (t) => {
  const { pool, metrics } = poolWith(3, roomy);
  const shown = () => {
    metrics.scrape();
    const of = (state: string) => metrics.value('vello_recognisers', { engine: 'memory', state });
    return [of('busy'), of('idle'), metrics.value('vello_recognitions_waiting', { engine: 'memory' })];
  };
  send(pool, 'a1', 1).catch(() => undefined);
  await settled();
  t.strictSame(shown(), [1, 2, 0]);
  for (const name of ['a2', 'a3', 'a4', 'a5', 'a6']) send(pool, name, 1).catch(() => undefined);
  await settled();
  t.strictSame(shown(), [3, 0, 3]);
  pool.close();
  t.strictSame(shown(), [3, 0, 0]);
});

t.test(
  'measures how long recordings waited for their turn, and were worked on, without the time at borders',
  async (t) => {
    const { pool, recognisers, clock, metrics } = poolWith(1, roomy);
    const [recogniser] = recognisers;
    const measured = (name: string) => metrics.value(name, { engine: 'memory' });
    clock.advance(5000);
    const long = send(pool, 'long', 300);
    await settled();
    clock.advance(1000);
    const short = send(pool, 'shrt', 5);
    await settled();
    clock.advance(500);
    recogniser?.border(28);
    await settled();
    clock.advance(4000);
    recogniser?.finish('', 5);
    await short;
    await settled();
    t.equal(measured('vello_recognition_wait_seconds'), 2);
    t.equal(measured('vello_recognition_wait_seconds_sum'), 0.5);
    t.equal(measured('vello_recognition_seconds_sum'), 4);
    clock.advance(2000);
    recogniser?.finish('', 300);
    await long;
    t.equal(measured('vello_recognition_seconds'), 2);
    t.equal(measured('vello_recognition_seconds_sum'), 7.5);
    t.equal(measured('vello_recognised_audio_seconds_total'), 305);
  },
);

t.test('goes on with a recording only where it was begun', async (t) => {
  const { pool, recognisers } = poolWith(2, roomy);
  const [one, two] = recognisers;
  const all = ['l1', 'l2'].map((name) => send(pool, name, 300));
  await settled();
  all.push(send(pool, 's1', 5));
  one?.border(20);
  await settled();
  two?.finish();
  await settled();
  t.strictSame([working(one), working(two)], ['s1', undefined]);
  one?.finish();
  await settled();
  t.equal(working(one), 'l1');
  one?.finish();
  await Promise.all(all);
});

t.test('is free for others once a recording that went on is done', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const [recogniser] = recognisers;
  const all = [send(pool, 'long', 300)];
  await settled();
  recogniser?.border(20);
  await settled();
  t.equal(working(recogniser), 'long');
  all.push(send(pool, 'next', 400));
  recogniser?.finish();
  await settled();
  t.equal(working(recogniser), 'next');
  recogniser?.finish();
  await Promise.all(all);
});

t.test('counts of a caller what was heard, not what was sent', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const all = [send(pool, 'a1', 30, 'a')];
  await settled();
  for (const [name, caller] of [
    ['b1', 'b'],
    ['b2', 'b'],
    ['a2', 'a'],
  ] as const) {
    all.push(send(pool, name, 10, caller));
  }
  const order: (string | undefined)[] = [];
  for (const heardSeconds of [1, 10, 10, 10]) {
    order.push(working(recognisers[0]));
    recognisers[0]?.finish('', heardSeconds);
    await settled();
  }
  await Promise.all(all);
  t.strictSame(order, ['a1', 'b1', 'a2', 'b2']);
});

t.test('counts each turn of a long recording by what was heard on it', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const [recogniser] = recognisers;
  const all = [send(pool, 'long', 3000, 'a')];
  await settled();
  for (const name of ['b1', 'b2', 'b3', 'b4']) all.push(send(pool, name, 20, 'b'));
  const order: (string | undefined)[] = [];
  let heardSeconds = 0;
  for (let turn = 0; turn < 6; turn += 1) {
    order.push(working(recogniser));
    if (working(recogniser) === 'long') recogniser?.border((heardSeconds += 20));
    else recogniser?.finish('', 20);
    await settled();
  }
  t.strictSame(order, ['long', 'b1', 'b2', 'long', 'b3', 'long']);
  recogniser?.die(new Error('over'));
  await Promise.allSettled(all);
});

t.test('holds nothing against a caller who was away since', async (t) => {
  const { pool, recognisers } = poolWith(1, roomy);
  const [recogniser] = recognisers;
  for (const name of ['a1', 'a2']) {
    const done = send(pool, name, 30, 'a');
    await settled();
    recogniser?.finish('', 30);
    await done;
  }
  const all = [send(pool, 'x1', 30, 'x'), send(pool, 'b1', 20, 'b'), send(pool, 'a3', 10, 'a')];
  await settled();
  recogniser?.finish('', 30);
  await settled();
  t.equal(working(recogniser), 'a3');
  pool.close();
  recogniser?.finish();
  await Promise.allSettled(all);
});

t.test('a recording is due as much later as it lasts', async (t) => {
  const { pool, recognisers, clock } = poolWith(1, roomy);
  const all = [send(pool, 'now', 1), send(pool, 'long', 30)];
  await settled();
  clock.advance(28_990);
  all.push(send(pool, 's1', 1));
  clock.advance(20);
  all.push(send(pool, 's2', 1));
  const order: (string | undefined)[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    order.push(working(recognisers[0]));
    recognisers[0]?.finish();
    await settled();
  }
  await Promise.all(all);
  t.strictSame(order, ['now', 's1', 'long', 's2']);
});

t.test('reckons when to come back by the recognisers that there are, and by one where there is none yet', async (t) => {
  for (const [members, retryAfterMs] of [
    [0, 6000],
    [1, 6000],
    [2, 3000],
  ] as const) {
    const { pool, recognisers } = poolWith(members, { ...roomy, waiting: 1 });
    for (let index = 0; index <= members; index += 1) send(pool, 'a', 60).catch(() => undefined);
    await t.rejects(send(pool, 'b', 1), { code: 'ENGINE_BUSY', extras: { retryAfterMs } }, `${members} recognisers`);
    pool.close();
    recognisers.forEach((recogniser) => recogniser.finish());
  }
});

t.test('a recording in which nothing was heard says nothing of how fast recordings are', async (t) => {
  const { pool, recognisers, clock } = poolWith(1, { ...roomy, waiting: 1 });
  for (const heardSeconds of [0, 2]) {
    const done = send(pool, 'a', 1);
    await settled();
    clock.advance(2000);
    recognisers[0]?.finish('', heardSeconds);
    await done;
  }
  for (const name of ['b', 'c']) send(pool, name, 60).catch(() => undefined);
  await t.rejects(send(pool, 'd', 1), {
    code: 'ENGINE_BUSY',
    extras: { retryAfterMs: 60 * (100 + 0.2 * (1000 - 100)) },
  });
  pool.close();
  recognisers[0]?.finish();
});
