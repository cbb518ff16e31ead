import t from 'tap';
import { createRecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import type { ActorContext, Behaviour } from '../../../actors/kernel/actor.ts';
import { recogniserActor, type RecogniserMessage } from '../../../actors/inference/recogniser-actor.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { worker } from '../../../supervisors/child-spec.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemorySpeechEngine } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';

function start() {
  const test = createTestSystem();
  const engine = createMemorySpeechEngine();
  const pool = createRecognitionPool({ clock: test.clock, metrics: test.metrics, engine: engine.name });
  const spec = {
    strategy: 'oneForOne' as const,
    intensity: 3,
    periodMs: 10_000,
    backoff: NO_BACKOFF,
    children: [worker('recogniser-1', () => recogniserActor(engine, pool))],
  };
  const boot = () => test.system.spawn('engine', supervisorDefinition(spec, { random: () => 0 }));
  return { ...test, engine, pool, boot };
}

const isDead = (system: ReturnType<typeof start>['system']): boolean => system.resolve('engine') === undefined;

t.test('joins the pool once its model is loaded, and leaves it and closes when stopped', async (t) => {
  const { engine, pool, boot, system } = start();
  boot();
  await settled();
  t.same(pool.counts(), { busy: 0, idle: 1, waiting: 0 });
  await system.stop();
  t.same(pool.counts(), { busy: 0, idle: 0, waiting: 0 });
  t.equal(engine.opened[0]?.isClosed, true);
});

t.test('is replaced when its engine breaks down, and what waited is recognised by its successor', async (t) => {
  const { engine, pool, boot, system } = start();
  boot();
  await settled();
  const ask = (name: string) => pool.recognise(Buffer.from(name), { signal: new AbortController().signal });
  const [first, second] = [ask('first'), ask('second')];
  await settled();
  engine.opened[0]?.die(new Error('out of memory'));
  await t.rejects(first, { code: 'ENGINE_FAILED' });
  await settled();
  t.equal(engine.opened.length, 2);
  engine.opened[1]?.finish();
  t.match(await second, { text: 'second' });
  await system.stop();
});

t.test('passes the failure up when its model cannot be loaded again and again', async (t) => {
  const { engine, boot, system } = start();
  engine.refusal = new Error('no such file');
  boot();
  await settled(60);
  t.ok(isDead(system));
  await system.stop();
});

t.test('shows whether its model is loaded, and is not ready before', async (t) => {
  const { engine, pool, system } = start();
  let open: (() => void) | undefined;
  const opening = engine.open.bind(engine);
  engine.open = async (options) => {
    await new Promise<void>((resolve) => (open = resolve));
    return opening(options);
  };
  let behaviour: Behaviour<RecogniserMessage> | undefined;
  const definition = recogniserActor(engine, pool);
  const kept = {
    ...definition,
    start: async (ctx: ActorContext<RecogniserMessage>) => (behaviour = await definition.start(ctx)),
  };
  system.spawn('recogniser', kept);
  await settled();
  const shown = () => [behaviour?.ready?.(), system.snapshotOf('recogniser')?.facts];
  t.strictSame(shown(), [false, { engine: 'memory', loaded: false }]);
  t.equal(system.snapshotOf('recogniser')?.type, 'recogniser');
  open?.();
  await settled();
  t.strictSame(shown(), [true, { engine: 'memory', loaded: true }]);
  await system.stop();
});

t.test('a recogniser that is opened after the end is closed, and one that is not is no news', async (t) => {
  for (const refusal of [undefined, new Error('given up')]) {
    const { engine, pool, boot, system } = start();
    let open: (() => void) | undefined;
    const opening = engine.open.bind(engine);
    engine.refusal = refusal;
    engine.open = async (options) => {
      await new Promise<void>((resolve) => (open = resolve));
      return opening(options);
    };
    boot();
    await settled();
    const stopping = system.stop();
    await settled();
    open?.();
    await stopping;
    if (refusal === undefined) t.equal(engine.opened[0]?.isClosed, true);
    else t.strictSame(system.deadLetters.recent(), []);
    t.same(pool.counts(), { busy: 0, idle: 0, waiting: 0 });
  }
});
