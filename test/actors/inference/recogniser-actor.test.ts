import t from 'tap';
import { createRecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import { recogniserActor } from '../../../actors/inference/recogniser-actor.ts';
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
