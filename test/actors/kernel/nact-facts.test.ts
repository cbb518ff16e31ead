// What nact 7.6.2 does when it is used directly, measured, and that none of it reaches an actor of this kernel: handlers and
// lives here, messages and addresses in nact-message-facts.test.ts. One test for each fact.
import { createRequire } from 'node:module';
import t from 'tap';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import { supervisor, worker, type SupervisorSpec } from '../../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../../supervisors/dynamic-children.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const supervise = (children: SupervisorSpec['children'], rest: Partial<SupervisorSpec> = {}) =>
  supervisorDefinition(
    { strategy: 'oneForOne', intensity: 3, periodMs: 60_000, backoff: NO_BACKOFF, children, ...rest },
    { random: () => 0 },
  );

const unhandled: unknown[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(reason));

interface NactActor {
  createContext: (this: NactActor, sender: unknown) => { readonly children: Map<string, unknown> };
}
const nact = createRequire(import.meta.url)('nact/lib/actor') as { readonly Actor: { readonly prototype: NactActor } };

t.test('fact 1, one event-loop turn per message: a thousand messages take a handful of turns', async (t) => {
  const { system } = createTestSystem();
  let handled = 0;
  const ref = system.spawn<number>(
    'hot',
    actor(() => void (handled += 1)),
  );
  await settled();
  for (let n = 0; n < 1000; n += 1) ref.tell(n);
  await settled(3);
  t.equal(handled, 1000);
  await system.stop();
});

t.test(
  'fact 2, the map of all children copied per message: nact never holds more than its one dispatcher',
  async (t) => {
    const { system } = createTestSystem();
    const original = nact.Actor.prototype.createContext;
    let copied = 0;
    let messages = 0;
    nact.Actor.prototype.createContext = function (sender) {
      const context = original.call(this, sender);
      copied += context.children.size;
      return context;
    };
    t.teardown(() => void (nact.Actor.prototype.createContext = original));
    const crowd = new DynamicChildren();
    system.spawn('crowd', supervise([], { dynamic: crowd }));
    await settled();
    const counting = actor<number>(() => void (messages += 1));
    const refs = Array.from({ length: 2000 }, (_, n) => crowd.start(`child-${n}`, counting));
    for (let n = 0; n < 1000; n += 1) refs[n]?.tell(n);
    await settled();
    t.equal(messages, 1000);
    t.equal(copied, 0);
    await system.stop();
  },
);

t.test('fact 3, descendants outlive their parent: stopping an actor stops everything below it', async (t) => {
  const { system, clock } = createTestSystem();
  const stopped: string[] = [];
  const nested = (depth: number): SupervisorSpec['children'] => [
    worker(`leaf-${depth}`, {
      type: 'leaf',
      start(ctx) {
        ctx.timers.every('tick', 1000, 'tick');
        return { receive: () => undefined, stop: () => void stopped.push(`level ${depth}`) };
      },
    }),
    ...(depth < 4 ? [supervisor('below', { ...poolOf(actor(() => undefined)), children: nested(depth + 1) })] : []),
  ];
  system.spawn('top', supervise(nested(0)));
  await settled();
  t.ok(system.resolve('top/below/below/below/below/leaf-4'));
  (system.resolve('top') as LiveActor | undefined)?.requestStop({ kind: 'normal' });
  await settled();
  t.strictSame(stopped, ['level 4', 'level 3', 'level 2', 'level 1', 'level 0']);
  t.equal(system.snapshot().liveActors, 0);
  t.equal(clock.pendingTimers, 0);
  await system.stop();
});

t.test(
  'fact 4, afterStop is not awaited and sees an old state: stop waits for the handler, and the system for every stop',
  async (t) => {
    const { system } = createTestSystem();
    const events: string[] = [];
    const ref = system.spawn<string>('a', {
      type: 'a',
      start() {
        let state = 'before';
        return {
          async receive() {
            await settled(2);
            state = 'after';
          },
          async stop() {
            await settled(2);
            events.push(`stopped ${state}`);
          },
        };
      },
    });
    await settled();
    ref.tell('work');
    await settled(1);
    await system.stop();
    t.strictSame(events, ['stopped after']);
  },
);

t.test(
  'fact 5, a handler that fails after the stop runs afterStop twice: it is stopped once, and nobody is woken',
  async (t) => {
    const { system, clock } = createTestSystem();
    let stops = 0;
    let fail = (_error: Error): void => undefined;
    system.spawn<string>(
      'a',
      actor(() => new Promise<void>((_resolve, reject) => (fail = reject)), { stop: () => void (stops += 1) }),
    );
    await settled();
    system.resolve<string>('a')?.tell('work');
    await settled();
    const stopped = system.stop();
    await settled();
    fail(new Error('late'));
    await stopped;
    t.equal(stops, 1);
    const other = createTestSystem();
    other.system
      .spawn<string>(
        'b',
        actor(() => new Promise<void>((_resolve, reject) => (fail = reject))),
      )
      .tell('work');
    await settled();
    const killed = other.system.stop();
    await pass(other.clock, 5000);
    await killed;
    fail(new Error('after the kill'));
    await settled();
    t.equal(clock.pendingTimers, 0);
  },
);

t.test('fact 6, a failing crash handler ends the process: crash, stop and farewell may all fail', async (t) => {
  const { system } = createTestSystem();
  const broken = actor<string>(
    () => {
      throw new Error('crash');
    },
    {
      stop: () => {
        throw new Error('stop fails too');
      },
    },
  );
  system.spawn('vello', supervise([worker('broken', broken)]));
  await settled();
  const first = system.resolve<string>('vello/broken');
  first?.tell('crash');
  await settled();
  t.ok((system.resolve('vello/broken')?.incarnation ?? 0) > (first?.incarnation ?? 0));
  await system.stop();
});

t.test('fact 7, a child crash runs parent code beside its handler: a restart runs beside no handler', async (t) => {
  const { system } = createTestSystem();
  const events: string[] = [];
  const crashing = actor<string>(() => {
    throw new Error('crash');
  });
  const working = actor<string>(async () => {
    events.push('begins');
    system.resolve<string>('vello/crashing')?.tell('crash');
    await settled(4);
    events.push('ends');
  });
  system.spawn('vello', supervise([worker('working', working), worker('crashing', crashing)]));
  await settled();
  for (let n = 0; n < 2; n += 1) system.resolve<string>('vello/working')?.tell('work');
  await settled(20);
  t.strictSame(events, ['begins', 'ends', 'begins', 'ends']);
  t.match(system.snapshotOf('vello/crashing'), { restarts: undefined, status: 'running' });
  await system.stop();
});

t.test(
  'fact 8, resetAll runs two handlers on one actor: a restart of all waits for each handler in flight',
  async (t) => {
    const { system } = createTestSystem();
    let running = 0;
    let most = 0;
    const slow = actor<string>(async () => {
      running += 1;
      most = Math.max(most, running);
      await settled(5);
      running -= 1;
    });
    const failing = actor<string>(() => {
      throw new Error('crash');
    });
    system.spawn('vello', supervise([worker('slow', slow), worker('failing', failing)], { strategy: 'oneForAll' }));
    await settled();
    for (let round = 0; round < 3; round += 1) {
      system.resolve<string>('vello/slow')?.tell('work');
      await settled(1);
      system.resolve<string>('vello/failing')?.tell('crash');
      await settled(20);
      system.resolve<string>('vello/slow')?.tell('work');
    }
    await settled(20);
    t.equal(most, 1);
    await system.stop();
  },
);

t.test('fact 9, a reset shares the initial state: every incarnation builds its own', async (t) => {
  const { system } = createTestSystem();
  const sizes: number[] = [];
  const collecting = {
    type: 'collecting',
    start() {
      const seen: string[] = [];
      return {
        receive(message: string) {
          seen.push(message);
          sizes.push(seen.length);
          if (message === 'crash') throw new Error('crash');
        },
      };
    },
  };
  system.spawn('vello', supervise([worker('a', collecting)]));
  await settled();
  for (const message of ['one', 'crash', 'one']) {
    system.resolve<string>('vello/a')?.tell(message);
    await settled();
  }
  t.strictSame(sizes, [1, 2, 1]);
  await system.stop();
});

t.test(
  'fact 10, a failing initialiser spins and starves every timer: failed starts wait, and timers fire',
  async (t) => {
    const { system, clock } = createTestSystem();
    let starts = 0;
    let isFired = false;
    const failing = {
      type: 'failing',
      start: () => {
        starts += 1;
        throw new Error('never');
      },
    };
    const backoff = { baseMs: 100, maxMs: 100, factor: 1, jitter: 0, resetAfterMs: 1000 };
    system.spawn('vello', supervise([worker('failing', failing)], { backoff, intensity: 1000 }));
    clock.setTimer(2000, () => (isFired = true));
    await pass(clock, 2000);
    t.ok(isFired);
    t.equal(starts, 21);
    await system.stop();
  },
);

t.test('fact 11, stateless actors swallow their crashes: every failure reaches the supervisor', async (t) => {
  const { system, metrics } = createTestSystem();
  const failing = actor<string>(
    async () => {
      throw new Error('crash');
    },
    { type: 'failing' },
  );
  system.spawn('vello', supervise([supervisor('pool', poolOf(failing))]));
  await settled();
  for (const id of ['one', 'two']) system.resolve<string>(`vello/pool/${id}`)?.tell('work');
  await settled();
  metrics.scrape();
  t.equal(metrics.value('vello_actor_failures_total', { type: 'failing' }), 2);
  t.equal(metrics.value('vello_actor_restarts_total', { type: 'failing' }), 2);
  await system.stop();
});

const poolOf = (definition: ReturnType<typeof actor<string>>): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 3,
  periodMs: 60_000,
  backoff: NO_BACKOFF,
  children: ['one', 'two'].map((id) => worker(id, definition)),
});

t.test('in none of all this did a rejection go unhandled', async (t) => {
  await settled();
  t.strictSame(unhandled, []);
});
