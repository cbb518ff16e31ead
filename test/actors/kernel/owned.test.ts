import t from 'tap';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import { owned } from '../../../actors/kernel/owned.ts';
import type { Ref } from '../../../actors/kernel/ref.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';

const inside = (ref: Ref<never>) => ref as unknown as LiveActor;

/** An actor whose things open when the test lets them, one after another, each under its number. */
function setUp() {
  const { system } = createTestSystem();
  const opens: (() => void)[] = [];
  const closed: number[] = [];
  const definition = owned(
    'thing',
    async () => {
      const number = opens.length;
      await new Promise<void>((resolve) => opens.push(resolve));
      return { number, close: () => void closed.push(number) };
    },
    { ready: ({ number }) => number > 0, describe: ({ number }) => ({ number }) },
  );
  const spawn = async () => {
    const ref = system.spawn('a', definition);
    await settled();
    return inside(ref);
  };
  const open = async (number: number) => {
    opens[number]?.();
    await settled();
  };
  return { system, definition, closed, spawn, open };
}
const notOpen = { message: 'thing is not open' };

t.test('a thing is there to use from when it is open until it is closed, and says how it is', async (t) => {
  const { system, definition, closed, spawn, open } = setUp();
  t.throws(definition.use, notOpen);
  const live = await spawn();
  t.throws(definition.use, notOpen, 'nor while it opens');
  await open(0);
  t.equal(definition.use().number, 0);
  t.equal(live.behaviour?.ready?.(), false);
  t.match(system.snapshot().tree, [{ type: 'thing', facts: { number: 0 } }]);
  await system.stop();
  t.strictSame(closed, [0]);
  t.throws(definition.use, notOpen);
});

t.test('what opens after the actor was told to stop is closed, and nobody used it', async (t) => {
  const { system, definition, closed, spawn, open } = setUp();
  await spawn();
  const stopped = system.stop();
  await open(0);
  await stopped;
  t.strictSame(closed, [0]);
  t.throws(definition.use, notOpen);
});

t.test('what opens after the actor was killed is closed, and the thing of its successor stays in use', async (t) => {
  const { definition, closed, spawn, open } = setUp();
  (await spawn()).kill('it hangs');
  await settled();
  await spawn();
  await open(1);
  await open(0);
  t.strictSame(closed, [0]);
  t.equal(definition.use().number, 1);
});
