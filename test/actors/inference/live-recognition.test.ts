import t from 'tap';
import {
  recogniseLive,
  type LiveRecognitionListener,
  type LiveRecognitionOptions,
} from '../../../actors/inference/live-recognition.ts';
import { createRecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { VelloError } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryEar, stretchOf } from '../../fixtures/memory-ear.ts';
import { memoryRecogniser } from '../../fixtures/memory-speech-engine.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';

type Told = readonly [what: keyof LiveRecognitionListener, ...rest: unknown[]];

/** One call, an ear and a recogniser that do what the test says. A stretch's file is how many samples it has. */
function setUp(more: Partial<LiveRecognitionOptions> = {}, hasRecogniser = true) {
  const [clock, ear, recogniser] = [createManualClock(), createMemoryEar(), memoryRecogniser()];
  const pool = createRecognitionPool({ clock, metrics: createMemoryMetrics(), engine: 'memory' });
  if (hasRecogniser) pool.add(recogniser);
  const told: Told[] = [];
  const names = ['began', 'stopped', 'committed', 'delta', 'final', 'failed', 'nothingToCommit', 'broken'] as const;
  const listener = Object.fromEntries(
    names.map((name) => [name, (...rest: unknown[]) => void told.push([name, ...rest])]),
  ) as unknown as LiveRecognitionListener;
  const live = recogniseLive(
    { ear, pool, clock, toFile: ({ length }) => Buffer.from(String(length)) },
    {
      ...{
        format: { codec: 'pcm16', rate: 16_000 },
        silenceSeconds: 0.5,
        language: 'en',
        caller: 'ada',
        findsTurns: true,
      },
      ...more,
    },
    listener,
  );
  const hearing = ear.hearings[0];
  if (hearing === undefined) throw new Error('Nobody listens.');
  /** What was told since the last question. */
  const fresh = () => told.splice(0);
  return { live, hearing, ear, recogniser, pool, clock, fresh, told, hears: hearing.listener };
}

const frame = new Uint8Array(3_200);

t.test('each stretch is an item, recognised in its turn', async (t) => {
  const { hears, recogniser, fresh } = setUp();
  hears.began(100);
  t.same(fresh(), [['began', 1, 100]]);
  hears.stretch(stretchOf(2, 100));
  t.same(fresh(), [
    ['stopped', 1, 2100],
    ['committed', 1],
  ]);
  hears.began(3_000);
  hears.stretch(stretchOf(1, 3_000));
  await settled();
  fresh();
  t.equal(recogniser.current(), '32000');
  recogniser.finish('First.');
  await settled();
  t.same(fresh(), [['final', 1, 'First.', 2]]);
  t.equal(recogniser.current(), '16000');
  recogniser.finish(' Second. ');
  await settled();
  t.same(fresh(), [['final', 2, 'Second.', 1]]);
});

t.test('the words of what is being said are told as they are agreed upon', async (t) => {
  const { hears, hearing, recogniser, fresh } = setUp();
  hears.began(0);
  fresh();
  hears.heard(0.9);
  t.equal(hearing.glimpses, 0, 'too little for a word');
  const glimpse = async (openSeconds: number, text: string) => {
    hears.heard(openSeconds);
    hears.heard(openSeconds);
    hears.glimpsed(new Float32Array(openSeconds * 16_000));
    await settled();
    recogniser.finish(text);
    await settled();
    return fresh();
  };
  t.same(await glimpse(1, 'Good mor'), []);
  t.same(await glimpse(2, 'Good morning'), [['delta', 1, 'Good']]);
  t.same(await glimpse(3, 'Good morning to'), [['delta', 1, ' morning']]);
  t.equal(hearing.glimpses, 3, 'one at a time');
  hears.heard(3.5);
  t.equal(hearing.glimpses, 3, 'not before it has grown');
});

t.test('what was said takes the place of what was being said', async (t) => {
  const { hears, hearing, recogniser, fresh } = setUp();
  hears.began(0);
  hears.heard(1);
  hears.glimpsed(new Float32Array(16_000));
  await settled();
  t.equal(recogniser.current(), '16000');
  hears.heard(2);
  t.equal(hearing.glimpses, 1);
  hears.stretch(stretchOf(2));
  await settled();
  t.equal(recogniser.current(), '32000', 'the glimpse is given up for it');
  recogniser.finish('All of it.');
  await settled();
  t.match(fresh().at(-1), ['final', 1, 'All of it.', 2]);
  // A glimpse that was on its way when the stretch ended is of nothing any more.
  hears.began(3_000);
  hears.heard(1);
  hears.stretch(stretchOf(1, 3_000));
  hears.glimpsed(new Float32Array(99));
  await settled();
  t.equal(recogniser.current(), '16000');
});

t.test('nobody looks at what is being said while recognisers are needed for what was said', async (t) => {
  const busy = setUp();
  const other = busy.pool.recognise(Buffer.from('file'), { signal: new AbortController().signal, caller: 'bob' });
  await settled();
  busy.hears.began(0);
  busy.hears.heard(5);
  t.equal(busy.hearing.glimpses, 0);
  busy.recogniser.finish();
  await other;
  busy.hears.heard(5.1);
  t.equal(busy.hearing.glimpses, 1);
});

t.test('without turns an item ends where its caller says, and its words are told stretch by stretch', async (t) => {
  const { live, hears, hearing, recogniser, fresh } = setUp({ findsTurns: false });
  live.commit('first');
  t.same(fresh(), [['nothingToCommit', 'first']]);
  live.hear(frame);
  hears.began(0);
  hears.stretch(stretchOf(1));
  hears.began(2_000);
  hears.stretch(stretchOf(2, 2_000));
  t.same(fresh(), [['began', 1, 0]]);
  await settled();
  recogniser.finish('One.');
  await settled();
  t.same(fresh(), [['delta', 1, 'One.']]);
  live.commit();
  t.equal(hearing.cuts, 1);
  t.same(fresh(), [], 'what was sent before is still being heard');
  hears.cut();
  t.same(fresh(), [['committed', 1]]);
  recogniser.finish('Two.');
  await settled();
  t.same(fresh(), [
    ['delta', 1, ' Two.'],
    ['final', 1, 'One. Two.', 3],
  ]);
  live.hear(frame);
  live.commit();
  hears.cut();
  await settled();
  t.same(fresh(), [
    ['committed', 2],
    ['final', 2, '', 0],
  ]);
});

t.test('a commit is answered by the item that it ends, or by there being none', async (t) => {
  const { live, hears, fresh } = setUp();
  live.hear(frame);
  hears.began(0);
  live.commit();
  hears.stretch(stretchOf(1));
  hears.cut();
  t.same(
    fresh().map(([what]) => what),
    ['began', 'stopped', 'committed'],
  );
  live.commit('second');
  hears.cut();
  t.same(fresh(), [['nothingToCommit', 'second']]);
});

t.test('speech without a word in it has an empty text', async (t) => {
  const { hears, recogniser, fresh } = setUp();
  hears.stretch(stretchOf(1));
  await settled();
  fresh();
  recogniser.fail(new VelloError('AUDIO_NOT_UNDERSTOOD'));
  await settled();
  t.same(fresh(), [['final', 1, '', 1]]);
});

t.test('a stretch whose recogniser broke is recognised by another, once', async (t) => {
  const { hears, recogniser, pool, fresh } = setUp();
  hears.stretch(stretchOf(1));
  await settled();
  recogniser.die(new Error('crashed'));
  await settled();
  const next = memoryRecogniser();
  pool.add(next);
  await settled();
  next.finish('Saved.');
  await settled();
  t.match(fresh().at(-1), ['final', 1, 'Saved.', 1]);
  hears.stretch(stretchOf(1));
  await settled();
  next.die(new Error('crashed'));
  const third = memoryRecogniser();
  pool.add(third);
  await settled();
  third.die(new Error('crashed'));
  await settled();
  t.match(fresh().at(-1), ['failed', 2, { code: 'ENGINE_FAILED' }]);
});

t.test('a stretch that finds no room is offered again, for a while', async (t) => {
  const { hears, clock, fresh, pool } = setUp();
  const full = {
    ...pool,
    recognise: async () => {
      throw new VelloError('ENGINE_BUSY', undefined, { retryAfterMs: 1_000 });
    },
  };
  const busy = (() => {
    const ear = createMemoryEar();
    const told: Told[] = [];
    const listener = new Proxy({} as LiveRecognitionListener, {
      get:
        (_, name) =>
        (...rest: unknown[]) =>
          void told.push([name as Told[0], ...rest]),
    });
    recogniseLive(
      { ear, pool: full, clock, toFile: () => Buffer.alloc(0) },
      { format: { codec: 'opus' }, silenceSeconds: 1, language: 'en', caller: '', findsTurns: true },
      listener,
    );
    return { told, hears: ear.hearings[0]?.listener };
  })();
  busy.hears?.stretch(stretchOf(1));
  await pass(clock, LIMITS.recognition.liveRetryMs);
  t.notOk(busy.told.some(([what]) => what === 'failed'));
  await pass(clock, 2_000);
  t.match(busy.told.at(-1), ['failed', 1, { code: 'ENGINE_BUSY' }]);
  hears.heard(0);
  t.same(fresh(), []);
});

t.test('an engine that does not keep up says so', async (t) => {
  const { hears, fresh, hearing } = setUp({}, false);
  for (let seconds = 0; seconds <= LIMITS.recognition.liveWaitingSeconds; seconds += 30) hears.stretch(stretchOf(30));
  t.match(fresh().at(-1), ['broken', { code: 'ENGINE_BUSY' }]);
  t.ok(hearing.isClosed);
});

t.test('who is minutes ahead of what was heard is not heard any more', async (t) => {
  const { live, hears } = setUp();
  const minute = new Uint8Array(1_000_000);
  let taken = 0;
  while (live.hear(minute)) taken += 1;
  t.equal(taken, Math.floor(LIMITS.recognition.liveUnheardBytes / minute.length));
  hears.heard(0);
  t.ok(live.hear(minute));
});

t.test('after the end nothing is told, and nothing is worked on', async (t) => {
  const { live, hears, hearing, recogniser, told } = setUp();
  hears.stretch(stretchOf(1));
  await settled();
  told.length = 0;
  live.close();
  await settled();
  t.equal(recogniser.current(), undefined);
  t.ok(hearing.isClosed);
  t.same(told, []);
});

t.test('an ear that breaks ends the call', async (t) => {
  const { ear, fresh } = setUp();
  ear.die();
  t.match(fresh(), [['broken', { code: 'ENGINE_FAILED' }]]);
});
