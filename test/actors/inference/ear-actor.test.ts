import t from 'tap';
import { earActor } from '../../../actors/inference/ear-actor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createMemorySpeechEngine } from '../../fixtures/memory-speech-engine.ts';
import { settled } from '../../fixtures/settled.ts';

t.test('the ear is there while its actor lives, and a new one after it broke', async (t) => {
  const { system } = createTestSystem();
  const engine = createMemorySpeechEngine();
  const { definition, holder } = earActor(engine);
  t.throws(() => holder.use(), { code: 'ENGINE_FAILED' });
  system.spawn('ear', definition());
  await settled();
  t.equal(holder.use(), engine.ears[0]);
  engine.ears[0]?.die();
  await settled();
  t.throws(() => holder.use(), { code: 'ENGINE_FAILED' }, "restarting is its supervisor's choice");
  t.equal(system.resolve('ear'), undefined, 'it has crashed');
  system.spawn('ear', definition());
  await settled();
  t.equal(holder.use(), engine.ears[1]);
  await system.stop();
  t.throws(() => holder.use());
});
