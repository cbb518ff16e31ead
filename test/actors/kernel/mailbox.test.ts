import fc from 'fast-check';
import t from 'tap';
import { Mailbox } from '../../../actors/kernel/mailbox.ts';
import { Ring } from '../../../actors/kernel/ring.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { settled } from '../../fixtures/settled.ts';

t.test('a ring keeps the order of any sequence of pushes and shifts', async (t) => {
  const steps = fc.array(fc.oneof(fc.constant('shift' as const), fc.nat()), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step === 'shift') t.equal(ring.shift(), model.shift());
        else {
          ring.push(step);
          model.push(step);
        }
      }
      return ring.size === model.length && ring.toArray().every((value, index) => Object.is(value, model[index]));
    }),
    { numRuns: 50 },
  );
});

t.test('a mailbox keeps order and times over any pushes and shifts, and is full at its capacity', async (t) => {
  const steps = fc.array(fc.oneof(fc.constant('shift' as const), fc.nat()), { maxLength: 400 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 120 }), (steps, capacity) => {
      const mailbox = new Mailbox<number>(capacity);
      const model: { message: number; sinceMs: number }[] = [];
      for (const [sinceMs, step] of steps.entries()) {
        if (mailbox.isFull !== (model.length === capacity) || mailbox.size !== model.length) return false;
        if (model.length > 0 && mailbox.oldestSinceMs !== model[0]?.sinceMs) return false;
        if (step === 'shift') t.equal(mailbox.shift(), model.shift()?.message);
        else if (!mailbox.isFull) {
          mailbox.push(step, sinceMs);
          model.push({ message: step, sinceMs });
        }
      }
      return model.every(({ message }) => mailbox.shift() === message) && mailbox.shift() === undefined;
    }),
    { numRuns: 60 },
  );
});

t.test('what does not fit is refused and counted, and fits again once there is room', async (t) => {
  const { system } = createTestSystem();
  const seen: string[] = [];
  const ref = system.spawn<{ type: string }>(
    'a',
    actor(({ type }) => void seen.push(type), { mailbox: { capacity: 2 } }),
  );
  await settled();
  const tell = (...types: string[]) => types.map((type) => ref.tell({ type }));
  t.strictSame(tell('first', 'second', 'third'), ['delivered', 'delivered', 'mailbox_full']);
  await settled();
  t.strictSame(tell('fourth'), ['delivered']);
  await settled();
  t.strictSame(seen, ['first', 'second', 'fourth']);
  t.match(system.deadLetters.recent(), [{ reason: 'mailbox_full', messageType: 'third' }]);
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
