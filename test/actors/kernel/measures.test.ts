/** What is measured of actors, and that it is sent once. */
import t from 'tap';
import type { Kernel } from '../../../actors/kernel/kernel.ts';
import { BUCKETS_MS, DurationHistogram, TypeStats } from '../../../actors/kernel/type-stats.ts';
import { createActorSystem } from '../../../actors/kernel/actor-system.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { settled } from '../../fixtures/settled.ts';
import { createMemoryLog, createMemoryMetrics } from '../../fixtures/silent.ts';

t.test('the bounds of the buckets, in milliseconds, are those of the metrics', async (t) => {
  t.strictSame(BUCKETS_MS, [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000]);
});

t.test('an observation falls into the first bucket that holds it, bounds included', async (t) => {
  for (const [bucket, bound] of BUCKETS_MS.entries()) {
    const histogram = new DurationHistogram();
    histogram.add(bound, 1);
    histogram.add(bound + 0.25, 1);
    t.equal(histogram.counts[bucket], 1, `${bound} ms`);
    t.equal(histogram.counts[bucket + 1], 1, `above ${bound} ms`);
    t.equal(histogram.sumMs, 2 * bound + 0.25);
  }
});

t.test('observations that took a time together count as equals', async (t) => {
  const histogram = new DurationHistogram();
  histogram.add(12, 4);
  t.equal(histogram.counts[BUCKETS_MS.indexOf(5)], 4);
  t.equal(histogram.sumMs, 12);
  histogram.addToFirst(0.25, 2);
  t.equal(histogram.counts[0], 2);
  t.equal(histogram.sumMs, 12.25);
});

t.test('a quantile is the bound of the bucket that holds it', async (t) => {
  const histogram = new DurationHistogram();
  t.equal(histogram.quantileMs(0.99), 0, 'nothing was observed');
  for (let n = 0; n < 99; n += 1) histogram.add(1, 1);
  histogram.add(400, 1);
  t.equal(histogram.quantileMs(0.99), 1);
  t.equal(histogram.quantileMs(1), 500);
  histogram.add(600_000, 10);
  t.equal(histogram.quantileMs(0.99), Infinity);
});

t.test('what was quick is in the histograms once it is settled, and once only', async (t) => {
  const stats = new TypeStats('a');
  stats.quick.set([3, 0.3, 5, 0.5]);
  for (let n = 0; n < 2; n += 1) {
    stats.settle();
    t.strictSame([stats.wait.counts[0], stats.wait.sumMs], [3, 0.3]);
    t.strictSame([stats.handler.counts[0], stats.handler.sumMs], [5, 0.5]);
  }
});

/** An actor whose handler takes as long as its message says, at once or with a promise. */
function createTimed() {
  const test = createTestSystem();
  const ref = test.system.spawn<{ readonly ms: number; readonly isAsync?: boolean }>(
    'timed',
    actor(
      ({ ms, isAsync = false }) => {
        if (!isAsync) return test.clock.advance(ms);
        return settled(1).then(() => test.clock.advance(ms));
      },
      { type: 'timed' },
    ),
  );
  const handler = () => {
    test.metrics.scrape();
    const name = 'vello_actor_handler_seconds';
    const [count, sum] = [name, `${name}_sum`].map((name) => test.metrics.value(name, { type: 'timed' }));
    return { count, ms: Math.round((sum ?? 0) * 1e6) / 1000 };
  };
  return { ...test, ref, handler };
}

t.test('each handler is measured, quick or slow, and asynchronous ones when they settle', async (t) => {
  const { ref, handler, metrics, system } = createTimed();
  await settled();
  ref.tell({ ms: 0.25 });
  await settled();
  t.strictSame(handler(), { count: 1, ms: 0.25 });
  ref.tell({ ms: 0.5 });
  await settled();
  t.strictSame(handler(), { count: 2, ms: 0.75 });
  ref.tell({ ms: 40 });
  await settled();
  t.strictSame(handler(), { count: 3, ms: 40.75 });
  ref.tell({ ms: 100, isAsync: true });
  t.strictSame(handler().count, 3);
  await settled();
  t.strictSame(handler(), { count: 4, ms: 140.75 });
  ref.tell({ ms: 0 });
  ref.tell({ ms: 7, isAsync: true });
  await settled();
  t.strictSame(handler(), { count: 6, ms: 147.75 });
  t.equal(metrics.value('vello_actor_messages_total', { type: 'timed' }), 6);
  t.equal(metrics.value('vello_actor_mailbox_wait_seconds', { type: 'timed' }), 6);
  await system.stop();
});

t.test('waits of messages told at different times add up, quick ones too', async (t) => {
  const { ref, metrics, clock, system } = createTimed();
  await settled();
  ref.tell({ ms: 0 });
  clock.advance(0.25);
  ref.tell({ ms: 0 });
  clock.advance(0.125);
  await settled();
  metrics.scrape();
  const waitedS = metrics.value('vello_actor_mailbox_wait_seconds_sum', { type: 'timed' });
  t.ok(waitedS >= 0.000_375 && waitedS <= 0.000_75, `${waitedS} s`);
  await system.stop();
});

t.test('a system that does not measure measures nothing', async (t) => {
  const metrics = createMemoryMetrics();
  const clock = createManualClock();
  const system = createActorSystem({ clock, log: createMemoryLog(), metrics, measures: false });
  const ref = system.spawn<string>(
    'a',
    actor(() => clock.advance(5), { type: 'a' }),
  );
  ref.tell('x');
  clock.advance(5);
  await settled();
  metrics.scrape();
  t.equal(metrics.value('vello_actor_messages_total', { type: 'a' }), 0);
  t.equal(metrics.value('vello_actor_mailbox_wait_seconds', { type: 'a' }), 0);
  await system.stop();
});

t.test('what was sent is not sent again, and every count has its own name', async (t) => {
  const { system, metrics } = createTestSystem();
  const stats = (system as unknown as Kernel).statsOf('a');
  Object.assign(stats, { live: 1, started: 2, failures: 3, restarts: 4, messages: 5, dropped: 6, budgetsExhausted: 7 });
  Object.assign(stats, { stuck: 8 });
  stats.stopped.killed = 9;
  stats.deadLetters.unknown = 10;
  stats.asks.timeout = 11;
  stats.askTime.add(20, 2);
  const read = (name: string, labels = {}) => metrics.value(`vello_actor_${name}`, { type: 'a', ...labels });
  for (let scrapes = 0; scrapes < 3; scrapes += 1) {
    metrics.scrape();
    t.equal(read('live'), 1);
    t.equal(read('started_total'), 2);
    t.equal(read('failures_total'), 3);
    t.equal(read('restarts_total'), 4);
    t.equal(read('messages_total'), 5);
    t.equal(read('mailbox_dropped_total'), 6);
    t.equal(read('restart_budgets_exhausted_total'), 7);
    t.equal(read('stuck'), 8);
    t.equal(read('stopped_total', { reason: 'killed' }), 9);
    t.equal(read('dead_letters_total', { reason: 'unknown' }), 10);
    t.equal(read('asks_total', { outcome: 'timeout' }), 11);
    t.equal(read('ask_seconds'), 2);
    t.equal(read('ask_seconds_sum'), 0.02);
  }
  stats.started += 1;
  stats.askTime.add(5, 1);
  metrics.scrape();
  t.equal(read('started_total'), 3);
  t.equal(read('ask_seconds'), 3);
  t.equal(Math.round(read('ask_seconds_sum') * 1000), 25);
  await system.stop();
});

t.test('mailboxes are counted over the whole tree, the deepest by itself', async (t) => {
  const { system, metrics } = createTestSystem();
  const busy = actor<string>(() => new Promise(() => undefined), { type: 'busy' });
  for (const [id, messages] of [
    ['a', 3],
    ['b', 5],
  ] as const) {
    const ref = system.spawn(id, busy);
    await settled();
    for (let n = 0; n <= messages; n += 1) {
      ref.tell('x');
      await settled(1);
    }
  }
  metrics.scrape();
  t.equal(metrics.value('vello_actor_mailbox_messages', { type: 'busy' }), 8);
  t.equal(metrics.value('vello_actor_mailbox_depth_max', { type: 'busy' }), 5);
});
