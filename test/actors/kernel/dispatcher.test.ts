import t from 'tap';
import { Dispatcher, type Runnable } from '../../../actors/kernel/dispatcher.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';

function createDispatcher() {
  const clock = createManualClock();
  const log = createMemoryLog();
  const dispatcher = new Dispatcher(clock, log);
  return { clock, log, dispatcher };
}

/** Takes `ms` for each turn and asks for the next. */
function restless(dispatcher: Dispatcher, turn: () => number): Runnable & { turns: number } {
  const runnable = {
    turns: 0,
    turn: () => {
      runnable.turns += 1;
      dispatcher.enqueue(runnable);
      return turn();
    },
    turnFailed: () => undefined,
  };
  return runnable;
}

t.test('a wake-up lasts four milliseconds, then the event loop gets its turn', async (t) => {
  const { clock, dispatcher } = createDispatcher();
  const runnable = restless(dispatcher, () => {
    clock.advance(1);
    return clock.monotonicMs();
  });
  dispatcher.enqueue(runnable);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(runnable.turns > 0 && runnable.turns % 4 === 0 && runnable.turns <= 12, `${runnable.turns} turns`);
  t.equal(dispatcher.isIdle, false);
  dispatcher.close();
});

t.test('a clock that stands still holds no event loop either', async (t) => {
  const { dispatcher } = createDispatcher();
  const runnable = restless(dispatcher, () => 0);
  dispatcher.enqueue(runnable);
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(runnable.turns >= 8192 && runnable.turns % 8192 === 0, `${runnable.turns} turns`);
  dispatcher.close();
});

t.test('a turn that throws is a defect of its own: it is logged, told, and the next has its turn', async (t) => {
  const { log, dispatcher } = createDispatcher();
  const told: string[] = [];
  dispatcher.enqueue({
    turn: () => {
      throw new Error('planted');
    },
    turnFailed: (error) => void told.push((error as Error).message),
  });
  dispatcher.enqueue({ turn: (startMs) => (told.push('next'), startMs), turnFailed: () => undefined });
  await settled();
  t.strictSame(told, ['planted', 'next']);
  t.match(log.lines, [{ level: 'error', fields: { error: { message: 'planted' } } }]);
  t.ok(dispatcher.isIdle);
  dispatcher.close();
});

t.test('the time is read where nobody runs, and stands between the turns where somebody does', async (t) => {
  const { clock, dispatcher } = createDispatcher();
  clock.advance(7);
  t.equal(dispatcher.readMs(), 7);
  const seen: number[] = [];
  dispatcher.enqueue({
    turn: (startMs) => {
      seen.push(startMs);
      clock.advance(3);
      seen.push(dispatcher.readMs());
      return clock.monotonicMs();
    },
    turnFailed: () => undefined,
  });
  clock.advance(2);
  await settled();
  t.strictSame(seen, [9, 9]);
  t.equal(dispatcher.readMs(), 12);
  t.equal(dispatcher.nowMs, 12);
  dispatcher.close();
});

t.test('handlers that await only what is there already need few turns of the event loop', async (t) => {
  const { system } = createTestSystem();
  let handled = 0;
  const ref = system.spawn<number>(
    'a',
    actor(async () => {
      await Promise.resolve();
      handled += 1;
    }),
  );
  await settled();
  for (let n = 0; n < 200; n += 1) ref.tell(n);
  await settled(4);
  t.equal(handled, 200);
  await settled();
  t.ok(system.isIdle);
  await system.stop();
});

t.test('a turn ends after 128 messages: who waits for his turn waits for no more', async (t) => {
  const { system } = createTestSystem();
  const order: string[] = [];
  const [chatty, quiet] = ['chatty', 'quiet'].map((id) =>
    system.spawn<number>(
      id,
      actor(() => void order.push(id)),
    ),
  );
  await settled();
  for (let n = 0; n < 300; n += 1) chatty?.tell(n);
  quiet?.tell(0);
  await settled();
  t.equal(order.indexOf('quiet'), 128);
  t.equal(order.length, 301);
  await system.stop();
});

t.test('a turn ends after two milliseconds, however slow or fast its messages turn out', async (t) => {
  for (const [ms, atMost] of [
    [5, 1],
    [1, 2],
    [0.25, 9],
  ] as const) {
    const { system, clock } = createTestSystem();
    const order: string[] = [];
    const slow = system.spawn<number>(
      'slow',
      actor(() => {
        order.push('slow');
        clock.advance(ms);
      }),
    );
    const quick = system.spawn<number>(
      'quick',
      actor(() => void order.push('quick')),
    );
    await settled();
    for (let n = 0; n < 100; n += 1) slow.tell(n);
    quick.tell(0);
    await settled(150);
    const before = order.indexOf('quick');
    t.ok(before >= Math.min(2 / ms, 1) && before <= atMost, `${before} messages of ${ms} ms`);
    t.equal(order.length, 101);
    await system.stop();
  }
});

t.test('what arrives during a turn waits for the next, also a timer', async (t) => {
  const { system, clock } = createTestSystem();
  const order: string[] = [];
  const self = system.spawn<string>('self', {
    type: 'self',
    start: (ctx) => ({
      receive: (message) => {
        order.push(message);
        if (message === 'first') ctx.self.tell('told');
        if (message === 'first') ctx.timers.once('soon', 0, 'timer');
        if (message === 'first') clock.advance(0);
      },
    }),
  });
  const other = system.spawn<string>(
    'other',
    actor((message) => void order.push(message)),
  );
  await settled();
  self.tell('first');
  other.tell('other');
  await settled();
  t.strictSame(order, ['first', 'other', 'timer', 'told']);
  await system.stop();
});
