import fc from 'fast-check';
import t from 'tap';
import { Mailbox } from '../../../actors/kernel/mailbox.ts';
import { Ring } from '../../../actors/kernel/ring.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';

t.test('a ring keeps the order of any sequence of pushes, unshifts and shifts', async (t) => {
  const steps = fc.array(fc.oneof(fc.constant('shift' as const), fc.constant('unshift' as const), fc.nat()), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step === 'shift') t.equal(ring.shift(), model.shift());
        else if (step === 'unshift') {
          ring.unshift(-model.length);
          model.unshift(-model.length);
        } else {
          ring.push(step);
          model.push(step);
        }
      }
      return ring.size === model.length && ring.toArray().every((value, index) => Object.is(value, model[index]));
    }),
    { numRuns: 50 },
  );
});

t.test('reject: what does not fit is refused, and fits again once there is room', async (t) => {
  const mailbox = new Mailbox<number>(2, 'reject');
  t.strictSame([mailbox.push(1), mailbox.push(2), mailbox.push(3)], ['stored', 'stored', 'full']);
  t.equal(mailbox.shift(), 1);
  t.equal(mailbox.push(3), 'stored');
});

t.test('coalesce: a message takes the place of the waiting one with its key; others keep theirs', async (t) => {
  const mailbox = new Mailbox<string>(3, { coalesceBy: (message) => /^\w+(?==)/.exec(message)?.[0] });
  for (const message of ['a=1', 'b=1', 'plain']) t.equal(mailbox.push(message), 'stored');
  t.equal(mailbox.push('b=2'), 'merged');
  t.equal(mailbox.push('c=1'), 'full', 'a new key needs a place of its own');
  t.equal(mailbox.push('other'), 'full', 'and so does a message without a key');
  t.equal(mailbox.shift(), 'a=1');
  t.equal(mailbox.push('a=2'), 'stored', 'what was taken is no longer there to be replaced');
  t.strictSame(
    [mailbox.shift(), mailbox.shift(), mailbox.shift(), mailbox.shift()],
    ['b=2', 'plain', 'a=2', undefined],
  );
});

t.test('coalesce: under any order of pushes and shifts, each key waits at most once, with its last value', async () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('shift' as const), fc.nat(4))), (steps) => {
      const mailbox = new Mailbox<{ key: string; value: number }>(100, { coalesceBy: ({ key }) => key });
      let model: { key: string; value: number }[] = [];
      for (const [value, step] of steps.entries()) {
        if (step === 'shift') {
          const [first, ...rest] = model;
          if (mailbox.shift()?.value !== first?.value) return false;
          model = rest;
        } else {
          const message = { key: String(step), value };
          mailbox.push(message);
          const waiting = model.findIndex(({ key }) => key === message.key);
          if (waiting >= 0) model[waiting] = message;
          else model.push(message);
        }
      }
      return mailbox.size === model.length && model.every(({ value }) => mailbox.shift()?.value === value);
    }),
  );
});

t.test('drop-oldest: the newest get through, and the dropped one is a dead letter', async (t) => {
  const { system } = createTestSystem();
  const seen: string[] = [];
  const ref = system.spawn<{ type: string }>(
    'a',
    actor(({ type }) => void seen.push(type), { mailbox: { capacity: 2, overflow: 'drop-oldest' } }),
  );
  await settled();
  for (const type of ['first', 'second', 'third']) t.equal(ref.tell({ type }), 'delivered');
  await settled();
  t.strictSame(seen, ['second', 'third']);
  t.match(system.deadLetters.recent(), [{ reason: 'mailbox_full', messageType: 'first' }]);
  await system.stop();
});

t.test('a capacity that is none is refused before anything starts', async (t) => {
  const { system } = createTestSystem();
  for (const capacity of [0, -1, 1.5, Number.NaN]) {
    const definition = actor<string>(() => undefined, { mailbox: { capacity } });
    t.throws(() => system.spawn('a', definition), { code: 'ACTOR_SPEC_INVALID' });
  }
  t.equal(system.snapshot().liveActors, 0);
  await system.stop();
});

t.test('a message to a path where nobody lives is a dead letter of its own kind', async (t) => {
  const { system, metrics } = createTestSystem();
  const seen: unknown[] = [];
  system.spawn<string>(
    'a',
    actor((message) => void seen.push(message)),
  );
  t.equal(system.tell('a', 'hello'), 'delivered');
  t.equal(system.tell('nobody/here', { type: 'lost' }), 'dead');
  await settled();
  t.strictSame(seen, ['hello']);
  t.match(system.deadLetters.recent(), [{ reason: 'unknown', path: 'nobody/here', messageType: 'lost' }]);
  metrics.scrape();
  t.equal(metrics.value('vello_actor_dead_letters_total', { type: 'unknown', reason: 'unknown' }), 1);
  await system.stop();
});

t.test('the last two hundred dead letters are kept, all are counted', async (t) => {
  const { system } = createTestSystem();
  const ref = system.spawn<{ type: string }>(
    'a',
    actor((_m, ctx) => ctx.stop()),
  );
  ref.tell({ type: 'stop' });
  await settled();
  for (let n = 0; n < 250; n += 1) ref.tell({ type: `late-${n}` });
  const recent = system.deadLetters.recent();
  t.equal(recent.length, 200);
  t.strictSame([recent[0]?.messageType, recent.at(-1)?.messageType], ['late-50', 'late-249']);
  t.equal(system.deadLetters.counts.stopped, 250);
  await system.stop();
});
