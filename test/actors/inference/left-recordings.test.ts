/** Whoever leaves, and whenever: the pool ends with the recogniser idle, or the recogniser's actor was told and replaced it. */
import t from 'tap';
import { createRecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { recogniserActor } from '../../../actors/inference/recogniser-actor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { chanceFrom } from '../../fixtures/fuzz-run.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemorySpeechEngine, memoryRecogniser } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryMetrics } from '../../fixtures/silent.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { worker } from '../../../supervisors/child-spec.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';

const idle = { busy: 0, idle: 1, waiting: 0 };

const emptyPool = () =>
  createRecognitionPool({ clock: createManualClock(), metrics: createMemoryMetrics(), engine: 'memory' });

function start() {
  const pool = emptyPool();
  const recogniser = memoryRecogniser();
  pool.add(recogniser);
  /** Each is a caller by itself, so that who was served least is next. */
  const send = (name: string) => {
    const leaving = new AbortController();
    const answer = pool.recognise(Buffer.from(name), { signal: leaving.signal, caller: name });
    answer.catch(() => undefined);
    return { answer, leave: () => leaving.abort() };
  };
  return { pool, recogniser, send };
}

/** `first` waits at a border, while `second` is recognised. */
async function startAtBorder() {
  const parts = start();
  const first = parts.send('first');
  await settled();
  const second = parts.send('second');
  parts.recogniser.border(20);
  await settled();
  return { ...parts, first, second };
}

t.test('hands the recogniser of one who leaves at a border to the next before the other has ended', async (t) => {
  const { pool, recogniser, send, first, second } = await startAtBorder();
  t.equal(recogniser.current(), 'second');
  const third = send('third');
  first.leave();
  recogniser.finish();
  await settled();
  await t.rejects(first.answer, { name: 'AbortError' });
  t.equal(recogniser.current(), 'third');
  recogniser.finish();
  t.match(await Promise.all([second.answer, third.answer]), [{ text: 'second' }, { text: 'third' }]);
  await settled();
  t.same(pool.counts(), idle);
});

t.test('frees the turn that one who leaves at a border was just given', async (t) => {
  const { pool, recogniser, send, first, second } = await startAtBorder();
  first.leave();
  recogniser.finish();
  await second.answer;
  t.same(pool.counts(), { busy: 1, idle: 0, waiting: 0 }, 'it has not ended yet');
  await settled();
  t.same(pool.counts(), idle);
  const third = send('third');
  await settled();
  recogniser.finish();
  t.match(await third.answer, { text: 'third' });
});

t.test('keeps the turn of one who leaves between two borders until it has ended', async (t) => {
  const { pool, recogniser, send } = start();
  const first = send('first');
  await settled();
  const second = send('second');
  first.leave();
  recogniser.border(20);
  t.same(pool.counts(), { busy: 1, idle: 0, waiting: 1 });
  await settled();
  await t.rejects(first.answer, { name: 'AbortError' });
  recogniser.finish();
  t.match(await second.answer, { text: 'second' });
  await settled();
  t.same(pool.counts(), idle);
});

t.test('frees the turn of one who leaves as it begins, and of all who leave together', async (t) => {
  const { pool, recogniser, send } = start();
  const early = send('early');
  early.leave();
  await t.rejects(early.answer, { name: 'AbortError' });
  t.same(pool.counts(), idle);
  const [first, second] = [send('first'), send('second')];
  await settled();
  recogniser.border(20);
  await settled();
  for (const { leave } of [first, second]) leave();
  await settled();
  t.same(pool.counts(), idle);
});

t.test('keeps a recogniser whose recording failed otherwise than by its engine', async (t) => {
  const pool = emptyPool();
  const fickle = memoryRecogniser();
  let fails = true;
  pool.add({
    close: () => fickle.close(),
    recognise: (file, options) => (fails ? Promise.reject(new Error('unforeseen')) : fickle.recognise(file, options)),
  });
  const signal = new AbortController().signal;
  await t.rejects(pool.recognise(Buffer.from('a'), { signal }), /unforeseen/);
  t.same(pool.counts(), idle);
  fails = false;
  const answer = pool.recognise(Buffer.from('b'), { signal });
  await settled();
  fickle.finish();
  t.match(await answer, { text: 'b' });
});

t.test('has a successor for a recogniser that breaks or is stopped while recordings wait at a border', async (t) => {
  const test = createTestSystem();
  const engine = createMemorySpeechEngine();
  const pool = createRecognitionPool({ clock: test.clock, metrics: test.metrics, engine: engine.name });
  const children = [worker('recogniser-1', () => recogniserActor(engine, pool))];
  const spec = { strategy: 'oneForOne' as const, intensity: 3, periodMs: 10_000, backoff: NO_BACKOFF, children };
  test.system.spawn('engine', supervisorDefinition(spec, { random: () => 0 }));
  await settled();
  const leaving = new AbortController();
  const ask = (name: string, signal = new AbortController().signal) => {
    const answer = pool.recognise(Buffer.from(name), { signal, caller: name });
    answer.catch(() => undefined);
    return answer;
  };
  const begun = [ask('first'), ask('second', leaving.signal), ask('third')];
  for (let turn = 0; turn < 2; turn += 1) {
    await settled();
    engine.opened[0]?.border(20);
  }
  await settled();
  leaving.abort();
  const waits = ask('fourth');
  engine.opened[0]?.die(new Error('out of memory'));
  for (const answer of begun) await t.rejects(answer, { code: 'ENGINE_FAILED' });
  await settled();
  t.equal(engine.opened.length, 2);
  t.equal(engine.opened[1]?.current(), 'fourth');
  const last = ask('fifth');
  engine.opened[1]?.border(20);
  await settled();
  t.equal(engine.opened[1]?.current(), 'fifth');
  await test.system.stop();
  for (const answer of [waits, last]) await t.rejects(answer, { code: 'ENGINE_FAILED' });
  t.same(pool.counts(), { busy: 0, idle: 0, waiting: 0 });
});

t.test('ends idle, and fails nobody who stays, whoever leaves whenever', async (t) => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const { pool, recogniser, send } = start();
    const chance = chanceFrom(seed);
    const sent: { name: string; answer: Promise<{ text: string }>; leave: () => void; hasLeft: boolean }[] = [];
    for (let step = 0; step < 40; step += 1) {
      const deed = chance.below(5);
      const one = sent.length === 0 ? undefined : chance.pick(sent);
      if (deed === 0) sent.push({ ...send(`${step}`), name: `${step}`, hasLeft: false });
      else if (deed === 1) recogniser.border(step);
      else if (deed === 2) recogniser.finish();
      else if (deed === 3 && one !== undefined) {
        one.hasLeft = true;
        one.leave();
      } else await settled(chance.below(3));
    }
    await settled();
    while (pool.counts().busy > 0) {
      recogniser.finish();
      await settled();
    }
    for (const { name, answer, hasLeft } of sent) {
      const outcome = await answer.then(
        ({ text }) => text,
        (error: unknown) => (error instanceof Error ? error.name : ''),
      );
      if (outcome !== name && !(hasLeft && outcome === 'AbortError')) t.fail(`seed ${seed}: ${name} got ${outcome}`);
    }
    if (pool.counts().idle !== 1) t.fail(`seed ${seed}: ${JSON.stringify(pool.counts())}`);
  }
});
