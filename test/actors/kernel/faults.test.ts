/** Faults of the code that actors run, each of which once held, hid or ended more than the actor itself. */
import t from 'tap';
import { createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { pass, settled } from '../../fixtures/settled.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';
import type { ActorContext } from '../../../actors/kernel/actor.ts';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { toError } from '../../../actors/kernel/errors.ts';
import type { Ref } from '../../../actors/kernel/ref.ts';
import { DynamicChildren } from '../../../supervisors/dynamic-children.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { worker } from '../../../supervisors/child-spec.ts';

const never = new Promise<never>(() => undefined);
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const UNSHOWABLE: readonly (() => unknown)[] = [
  () => Object.create(null) as unknown,
  revoked,
  () => Symbol('x'),
  () => undefined,
];

t.test('a stop asked for before the first await of a handler or of a start still has its deadline', async (t) => {
  for (const where of ['receive', 'start'] as const) {
    const { system, clock } = createTestSystem();
    const stopAndHang = async (ctx: ActorContext<string>) => {
      ctx.stop();
      return never;
    };
    const ref = system.spawn<string>('a', {
      type: 'hanging',
      start: (ctx) => (where === 'start' ? stopAndHang(ctx) : { receive: () => stopAndHang(ctx) }),
    });
    await settled();
    ref.tell('go');
    await settled();
    await pass(clock, 5_001);
    t.equal(system.resolve('a'), undefined, where);
    let ended = false;
    void system.stop().then(() => (ended = true));
    await settled();
    t.ok(ended, `${where}: the system stops`);
  }
});

t.test('whatever is thrown becomes an error, and ends that actor alone', async (t) => {
  for (const make of UNSHOWABLE) {
    t.type(toError(make()).message, 'string');
    for (const isAsync of [false, true]) {
      const { system } = createTestSystem();
      const throwIt = () => {
        throw make();
      };
      const ref = system.spawn<string>('a', {
        type: 'thrower',
        start: () => ({ receive: isAsync ? async () => throwIt() : throwIt }),
      });
      const other = system.spawn<string>('b', { type: 'other', start: () => ({ receive: () => undefined }) });
      await settled();
      ref.tell('go');
      await settled();
      t.equal(system.resolve('a'), undefined);
      t.equal(other.tell('still'), 'delivered');
    }
  }
});

t.test('a crash of a temporary dynamic child is reported once, with what a reader needs', async (t) => {
  const { system, log } = createTestSystem();
  const dynamic = new DynamicChildren();
  system.spawn(
    'r',
    supervisorDefinition(
      { strategy: 'oneForOne', intensity: 3, periodMs: 60_000, backoff: NO_BACKOFF, children: [], dynamic },
      { random: () => 0 },
    ),
  );
  await settled();
  const child: Ref<{ readonly type: string }> = dynamic.start('device-1', {
    type: 'device_session',
    start: () => ({
      receive: () => {
        throw new TypeError('planted', { cause: new Error('why') });
      },
    }),
  });
  child.tell({ type: 'received' });
  child.tell({ type: 'second' });
  await settled();
  const reports = log.lines.filter(({ message }) => message === 'actor crashed');
  t.equal(reports.length, 1);
  t.match(reports[0], {
    level: 'error',
    fields: {
      actor: 'r/device-1',
      type: 'device_session',
      incarnation: Number,
      exit: 'crashed: planted',
      message: 'received',
      mailboxDepth: 1,
      error: { message: 'planted', stack: /faults/, cause: { message: 'why' } },
    },
  });
});

t.test('an actor that answers each notice with the next does not hold the event loop', async (t) => {
  const system = createActorSystem({
    clock: { ...createManualClock(), monotonicMs: () => performance.now() },
    log: createMemoryLog(),
    metrics: createMemoryMetrics(),
  });
  const gone = system.spawn('gone', { type: 'gone', start: (ctx) => (ctx.stop(), { receive: () => undefined }) });
  await settled();
  let noticed = 0;
  system.spawn<'again'>('watcher', {
    type: 'watcher',
    start: (ctx) => {
      ctx.watch(gone, () => 'again');
      return {
        receive: () => {
          noticed += 1;
          ctx.watch(gone, () => 'again');
        },
      };
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.ok(noticed > 0, 'this turn of the event loop came');
  await system.stop();
});

t.test('a sink of the log that throws stops nobody', async (t) => {
  const log = createMemoryLog();
  log.error = () => {
    throw new Error('disk full');
  };
  const system = createActorSystem({ clock: createManualClock(), log, metrics: createMemoryMetrics() });
  const failing = system.spawn<string>('a', {
    type: 'a',
    start: () => ({
      receive: () => {
        throw new Error('planted');
      },
    }),
  });
  const heard: string[] = [];
  const other = system.spawn<string>('b', {
    type: 'b',
    start: () => ({ receive: (message) => void heard.push(message) }),
  });
  failing.tell('x');
  other.tell('y');
  await settled();
  t.strictSame(heard, ['y']);
});

t.test('one describe() that throws shows itself, and the rest of the tree', async (t) => {
  const { system } = createTestSystem();
  system.spawn('a', {
    type: 'a',
    start: () => ({
      receive: () => undefined,
      describe: () => {
        throw new Error('planted');
      },
    }),
  });
  system.spawn('b', { type: 'b', start: () => ({ receive: () => undefined, describe: () => ({ fine: true }) }) });
  await settled();
  t.match(system.snapshot().tree, [
    { id: 'a', facts: { describeFailed: 'planted' } },
    { id: 'b', facts: { fine: true } },
  ]);
});

t.test('while the system stops, a branch that is not told to stop yet may restart its children', async (t) => {
  const { system, clock } = createTestSystem();
  let starts = 0;
  const child = worker('c', {
    type: 'c',
    start: () => {
      starts += 1;
      return {
        receive: () => {
          throw new Error('planted');
        },
      };
    },
  });
  const branch = { strategy: 'oneForOne', intensity: 9, periodMs: 60_000, backoff: NO_BACKOFF } as const;
  system.spawn('first', supervisorDefinition({ ...branch, children: [child] }, { random: () => 0 }));
  system.spawn('second', { type: 'slow', start: () => ({ receive: () => undefined, stop: () => never }) });
  await settled();
  void system.stop();
  await settled();
  system.resolve<string>('first/c')?.tell('crash');
  await settled();
  t.equal(starts, 2);
  await pass(clock, 10_000);
});

t.test('an incarnation that has ended sets no timers', async (t) => {
  const { system, clock } = createTestSystem();
  let context: ActorContext<string> | undefined;
  const set: number[] = [];
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (delayMs, fire) => {
    set.push(delayMs);
    return setTimer(delayMs, fire);
  };
  const ref = system.spawn<string>('a', {
    type: 'a',
    start: (ctx) => {
      context = ctx;
      return { receive: () => ctx.stop() };
    },
  });
  ref.tell('stop');
  await settled();
  const before = set.length;
  context?.timers.every('zombie', 77, 'tick');
  t.equal(set.length, before);
});
