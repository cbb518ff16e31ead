import t from 'tap';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import { pass, settled } from '../../fixtures/settled.ts';

/** An actor that obeys functions it is sent, and notes every string with its time. */
function createNoting() {
  const test = createTestSystem();
  const noted: string[] = [];
  type Message = string | ((ctx: Parameters<Parameters<typeof actor<string>>[0]>[1]) => void);
  const ref = test.system.spawn<Message>(
    'a',
    actor<Message>((message, ctx) => {
      if (typeof message === 'string') noted.push(`${message} at ${test.clock.monotonicMs()}`);
      else message(ctx);
    }),
  );
  return { ...test, ref, noted };
}

t.test('a timer fires once at its time, or again at each period, until it is cancelled', async (t) => {
  const { ref, noted, clock, system } = createNoting();
  ref.tell(({ timers }) => {
    timers.once('single', 250, 'single');
    timers.every('tick', 100, 'tick');
  });
  await pass(clock, 350);
  ref.tell(({ timers }) => timers.cancel('tick'));
  await pass(clock, 1000);
  t.strictSame(noted, ['tick at 100', 'tick at 200', 'single at 250', 'tick at 300']);
  t.equal(clock.pendingTimers, 0);
  await system.stop();
});

t.test('a timer set again under its key replaces the earlier one, even one that has fired and waits', async (t) => {
  const { ref, noted, clock, system } = createNoting();
  ref.tell(({ timers }) => timers.once('key', 100, 'early'));
  await settled();
  ref.tell(({ timers }) => {
    clock.advance(100);
    timers.once('key', 50, 'late');
  });
  await pass(clock, 200);
  t.strictSame(noted, ['late at 150']);
  await system.stop();
});

t.test('a fired timer that is cancelled before its turn is not delivered', async (t) => {
  const { ref, noted, clock, system } = createNoting();
  ref.tell(({ timers }) => timers.once('key', 100, 'never'));
  await settled();
  ref.tell(({ timers }) => {
    clock.advance(100);
    timers.cancel('key');
  });
  await settled();
  t.strictSame(noted, []);
  await system.stop();
});

t.test('an actor too busy for its period gets one tick, not a heap of them', async (t) => {
  const { system, clock } = createTestSystem();
  let ticks = 0;
  let release = (): void => undefined;
  system.spawn<string>('a', {
    type: 'a',
    start(ctx) {
      ctx.timers.every('tick', 100, 'tick');
      return {
        receive: () => {
          ticks += 1;
          return new Promise<void>((resolve) => (release = resolve));
        },
      };
    },
  });
  await pass(clock, 1000);
  t.equal(ticks, 1);
  release();
  await settled();
  t.equal(ticks, 2);
  release();
  await settled();
  t.equal(ticks, 2);
  release();
  await system.stop();
  t.equal(clock.pendingTimers, 0);
});

t.test('a fired timer goes before every waiting message, and a full mailbox does not stop it', async (t) => {
  const { system, clock } = createTestSystem();
  const seen: string[] = [];
  const ref = system.spawn<string>('a', {
    type: 'a',
    mailbox: { capacity: 3 },
    start(ctx) {
      return {
        receive(message) {
          seen.push(message);
          if (message === 'first') {
            ctx.timers.once('key', 10, 'timer');
            clock.advance(10);
          }
        },
      };
    },
  });
  for (const message of ['first', 'second', 'third']) ref.tell(message);
  t.equal(ref.tell('fourth'), 'mailbox_full');
  await settled();
  t.strictSame(seen, ['first', 'timer', 'second', 'third']);
  await system.stop();
});

t.test('a stop goes before waiting messages, which become dead letters', async (t) => {
  const { system } = createTestSystem();
  const seen: string[] = [];
  const ref = system.spawn<string>(
    'a',
    actor((message, ctx) => {
      seen.push(message);
      ctx.stop();
    }),
  );
  for (const message of ['first', 'second', 'third']) ref.tell(message);
  await settled();
  t.strictSame(seen, ['first']);
  t.equal(system.deadLetters.counts.stopped, 2);
  await system.stop();
});

t.test(
  'the signal of an incarnation aborts the moment it is told to stop, also for who asks for it later',
  async (t) => {
    const { system } = createTestSystem();
    const signals: AbortSignal[] = [];
    const ref = system.spawn<string>(
      'a',
      actor((message, ctx) => {
        signals.push(ctx.signal);
        if (message === 'stop') {
          ctx.stop();
          signals.push(ctx.signal);
        }
      }),
    );
    ref.tell('look');
    await settled();
    t.equal(signals[0]?.aborted, false);
    ref.tell('stop');
    await settled();
    t.ok(signals.every(({ aborted }) => aborted));
    await system.stop();
  },
);

t.test('a handler past its deadline is Stuck until it ends, and reported once', async (t) => {
  const { system, clock, log, metrics } = createTestSystem();
  let release = (): void => undefined;
  const ref = system.spawn<string>(
    'a',
    actor(() => new Promise<void>((resolve) => (release = resolve)), { type: 'slow', handlerDeadlineMs: 1500 }),
  );
  ref.tell('work');
  await pass(clock, 10_000);
  t.equal(system.snapshotOf('a')?.status, 'stuck');
  t.equal(log.lines.filter(({ message }) => message === 'actor is stuck').length, 1, 'reported once');
  metrics.scrape();
  t.equal(metrics.value('vello_actor_stuck', { type: 'slow' }), 1);
  release();
  await settled();
  t.equal(system.snapshotOf('a')?.status, 'running');
  metrics.scrape();
  t.equal(metrics.value('vello_actor_stuck', { type: 'slow' }), 0);
  await pass(clock, 1000);
  t.equal(clock.pendingTimers, 0, 'no tick runs while nothing is in flight');
  await system.stop();
});

t.test('the late result of a killed incarnation changes nothing', async (t) => {
  const { system, clock, metrics } = createTestSystem();
  let settle: ((error?: Error) => void)[] = [];
  const define = () =>
    actor<string>(
      () =>
        new Promise<void>((resolve, reject) => {
          settle.push((error) => (error ? reject(error) : resolve()));
        }),
      { type: 'abandoned', handlerDeadlineMs: 1000 },
    );
  for (const error of [undefined, new Error('late')]) {
    settle = [];
    const ref = system.spawn('a', define());
    ref.tell('work');
    ref.tell('waiting');
    await pass(clock, 2000);
    (ref as unknown as LiveActor).kill('by the test');
    t.equal(system.resolve('a'), undefined);
    settle[0]?.(error);
    await settled();
    t.equal(settle.length, 1, 'the waiting message was never handled');
  }
  metrics.scrape();
  t.equal(metrics.value('vello_actor_failures_total', { type: 'abandoned' }), 0);
  t.equal(metrics.value('vello_actor_stuck', { type: 'abandoned' }), 0);
  t.equal(metrics.value('vello_actor_stopped_total', { type: 'abandoned', reason: 'killed' }), 2);
  await system.stop();
});
