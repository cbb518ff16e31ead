// Random trees under random crashes, stops and messages: what must hold whatever happens.
import fc from 'fast-check';
import t from 'tap';
import type { ActorDefinition } from '../../../actors/kernel/actor.ts';
import type { Ref } from '../../../actors/kernel/ref.ts';
import { DEFAULT_BACKOFF, NO_BACKOFF } from '../../../supervisors/backoff.ts';
import {
  RESTART_TYPES,
  STRATEGIES,
  supervisor,
  worker,
  type ChildSpec,
  type SupervisorSpec,
} from '../../../supervisors/child-spec.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

interface Message {
  readonly sender: number;
  readonly n: number;
  readonly act: 'work' | 'wait' | 'crash' | 'crash later' | 'end';
}

/** What every incarnation writes down about itself, and what it did that it must not. */
interface Watch {
  readonly violations: string[];
  live: number;
  handling: number;
}

const shapes = fc.letrec<{ tree: Shape; leaf: Shape }>((tie) => ({
  leaf: fc.record({ kind: fc.constant('leaf' as const), restart: fc.constantFrom(...RESTART_TYPES) }),
  tree: fc.record({
    kind: fc.constant('tree' as const),
    restart: fc.constantFrom(...RESTART_TYPES),
    strategy: fc.constantFrom(...STRATEGIES),
    intensity: fc.nat(4),
    children: fc.array(fc.oneof({ depthSize: 'small' }, tie('leaf'), tie('tree')), { minLength: 1, maxLength: 4 }),
  }),
})).tree;
type Shape =
  | { readonly kind: 'leaf'; readonly restart: ChildSpec['restart'] }
  | {
      readonly kind: 'tree';
      readonly restart: ChildSpec['restart'];
      readonly strategy: SupervisorSpec['strategy'];
      readonly intensity: number;
      readonly children: readonly Shape[];
    };

const steps = fc.array(
  fc.record({
    target: fc.nat(30),
    sender: fc.nat(2),
    act: fc.constantFrom<Message['act']>('work', 'work', 'work', 'wait', 'crash', 'crash later', 'end'),
    turns: fc.nat(2),
    passMs: fc.constantFrom(0, 0, 0, 10),
  }),
  { maxLength: 60 },
);

function leaf(watch: Watch): ActorDefinition<Message> {
  return {
    type: 'leaf',
    start(ctx) {
      watch.live += 1;
      let isAlive = true;
      let busy = 0;
      const last = new Map<number, number>();
      ctx.timers.every('tick', 7, { sender: -1, n: 0, act: 'work' });
      return {
        async receive({ sender, n, act }) {
          if (!isAlive) watch.violations.push('a dead incarnation handled a message');
          if (busy > 0) watch.violations.push('two handlers at once on one actor');
          if (sender >= 0 && n <= (last.get(sender) ?? -1)) watch.violations.push('order from one sender broken');
          if (sender >= 0) last.set(sender, n);
          busy += 1;
          watch.handling += 1;
          try {
            if (act === 'crash') throw new Error('crash');
            if (act === 'end') ctx.stop();
            if (act === 'wait' || act === 'crash later') await settled(1);
            if (act === 'crash later') throw new Error('crash later');
          } finally {
            busy -= 1;
            watch.handling -= 1;
          }
        },
        stop() {
          if (!isAlive) watch.violations.push('stopped twice');
          if (busy > 0) watch.violations.push('stopped during a handler');
          isAlive = false;
          watch.live -= 1;
        },
      };
    },
  };
}

const specOf = (shape: Shape, watch: Watch): SupervisorSpec => ({
  strategy: shape.kind === 'tree' ? shape.strategy : 'oneForOne',
  intensity: shape.kind === 'tree' ? shape.intensity : 0,
  periodMs: 50,
  backoff: NO_BACKOFF,
  children: (shape.kind === 'tree' ? shape.children : []).map((child, index) =>
    child.kind === 'leaf'
      ? worker(`w${index}`, () => leaf(watch), { restart: child.restart })
      : supervisor(`s${index}`, specOf(child, watch), { restart: child.restart }),
  ),
});

const leafPaths = (shape: Shape, path: string): string[] =>
  shape.kind === 'leaf'
    ? [path]
    : shape.children.flatMap((child, index) =>
        leafPaths(child, `${path}/${child.kind === 'leaf' ? 'w' : 's'}${index}`),
      );

t.test(
  'no dead incarnation handles a message, no actor two at once, order holds, and nothing is left after stop',
  async (t) => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(shapes, steps, async (shape, steps) => {
        const watch: Watch = { violations: [], live: 0, handling: 0 };
        const { system, clock } = createTestSystem();
        system.spawn('root', supervisorDefinition(specOf(shape, watch), { random: () => 0 }));
        await settled(2);
        const paths = leafPaths(shape, 'root');
        const held: Ref<Message>[] = [];
        for (const { target, sender, act, turns, passMs } of steps) {
          const present = system.resolve<Message>(paths[target % Math.max(1, paths.length)] ?? 'root');
          // Half of the senders keep the refs they once had, as real ones do: those go stale.
          const ref = sender === 0 ? present : (held[target] ??= present ?? held[0] ?? ({} as Ref<Message>));
          if (ref !== undefined && 'tell' in ref) ref.tell({ sender, n: (n += 1), act });
          if (turns > 0) await settled(turns);
          if (passMs > 0) await pass(clock, passMs);
        }
        await system.stop();
        t.strictSame(watch.violations, []);
        return (
          watch.live === 0 && watch.handling === 0 && clock.pendingTimers === 0 && system.snapshot().liveActors === 0
        );
      }),
      { numRuns: 120, endOnFailure: false },
    );
  },
);

t.test('whatever single actor of a tree is killed, the tree is whole again after its backoff', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(8), { minLength: 1, maxLength: 25 }), async (victims) => {
      const watch: Watch = { violations: [], live: 0, handling: 0 };
      const { system, clock } = createTestSystem();
      const pool = (strategy: SupervisorSpec['strategy']): SupervisorSpec => ({
        strategy,
        intensity: 5,
        periodMs: 1000,
        children: ['a', 'b'].map((id) => worker(id, () => leaf(watch))),
      });
      system.spawn(
        'root',
        supervisorDefinition(
          {
            strategy: 'restForOne',
            intensity: 3,
            periodMs: 1000,
            children: [
              supervisor('one', pool('oneForOne')),
              supervisor('all', pool('oneForAll')),
              supervisor('rest', pool('restForOne')),
            ],
          },
          { random: () => 1 },
        ),
      );
      await settled();
      const names = ['one', 'all', 'rest'].flatMap((name) => [`root/${name}`, `root/${name}/a`, `root/${name}/b`]);
      const whole = names.map((name) => `${name} running`);
      const statuses = () => names.map((name) => `${name} ${system.snapshotOf(name)?.status ?? 'missing'}`);
      for (const victim of victims) {
        const actor = system.resolve(names[victim] ?? '') as { kill(why: string): void } | undefined;
        actor?.kill('by the test');
        // One that is killed again and again waits ever longer. A second at least: what dies more often than that ends its supervisor.
        let waitedMs = 0;
        do {
          await pass(clock, 1000);
          waitedMs += 1000;
        } while (statuses().join() !== whole.join() && waitedMs < DEFAULT_BACKOFF.maxMs);
        t.strictSame(statuses(), whole);
      }
      await system.stop();
    }),
    { numRuns: 15, examples: [[[1, 1, 1, 1, 1, 1, 1]]] },
  );
});
