import t from 'tap';
import { AskError, KernelError } from '../../../actors/kernel/errors.ts';
import type { Reply } from '../../../actors/kernel/ref.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

/** An actor that keeps what it is asked, for the test to answer. */
function createKeeper() {
  const test = createTestSystem();
  const replies: Reply<string>[] = [];
  const ref = test.system.spawn<Reply<string>>(
    'keeper',
    actor((reply) => void replies.push(reply)),
  );
  const ended: string[] = [];
  const ask = (name: string, timeoutMs: number) =>
    void ref
      .ask<string>((reply) => reply, timeoutMs)
      .then(
        (answer) => ended.push(`${name} ${answer}`),
        (error: unknown) => ended.push(`${name} ${(error as AskError).code}`),
      );
  return { ...test, ref, replies, ask, ended };
}

t.test('asks of one duration expire each at its own time, whichever of them were answered meanwhile', async (t) => {
  for (const answered of [[], [0], [1], [2], [0, 1], [1, 2], [0, 2], [2, 0], [1, 0]] as const) {
    const { clock, ask, ended, replies } = createKeeper();
    for (const name of ['a', 'b', 'c']) {
      ask(name, 1000);
      await pass(clock, 100);
    }
    for (const index of answered) replies[index]?.ok('answered');
    await pass(clock, 5000);
    const names = ['a', 'b', 'c'];
    const open = names.filter((_, index) => !(answered as readonly number[]).includes(index));
    t.strictSame(ended, [
      ...answered.map((index) => `${names[index]} answered`),
      ...open.map((name) => `${name} ASK_TIMEOUT`),
    ]);
    t.equal(clock.pendingTimers, 0);
  }
});

t.test('none expires before its time, and durations do not wait for each other', async (t) => {
  const { clock, ask, ended } = createKeeper();
  ask('long', 2000);
  await pass(clock, 500);
  ask('late', 2000);
  ask('short', 300);
  await pass(clock, 299);
  t.strictSame(ended, []);
  await pass(clock, 1);
  t.strictSame(ended, ['short ASK_TIMEOUT']);
  await pass(clock, 1199);
  t.equal(ended.length, 1);
  await pass(clock, 1);
  t.strictSame(ended, ['short ASK_TIMEOUT', 'long ASK_TIMEOUT']);
  await pass(clock, 499);
  t.equal(ended.length, 2);
  await pass(clock, 1);
  t.equal(ended.at(-1), 'late ASK_TIMEOUT');
});

t.test('the end of a target fails its open asks and no others, and each only once', async (t) => {
  const { system, ask, ended, ref, replies } = createKeeper();
  const other = system.spawn<Reply<string>>(
    'other',
    actor(() => undefined),
  );
  void other.ask<string>((reply) => reply, 1000).catch(() => ended.push('other'));
  for (const name of ['a', 'b', 'c']) ask(name, 1000);
  await settled();
  replies[1]?.ok('answered');
  replies[1]?.fail(new Error('again'));
  (ref as unknown as { kill(why: string): void }).kill('by the test');
  await settled();
  replies[0]?.ok('too late');
  t.strictSame(ended.toSorted(), ['a ASK_TARGET_STOPPED', 'b answered', 'c ASK_TARGET_STOPPED']);
  t.equal(system.deadLetters.counts.expired_ask, 0, 'who was told of the end awaits no answer');
});

t.test('only a full mailbox may be asked again; a mistake of the caller never', async (t) => {
  t.strictSame(
    (['ASK_MAILBOX_FULL', 'ASK_TIMEOUT', 'ASK_TARGET_STOPPED'] as const).map(
      (code) => new AskError(code, 'a').retryable,
    ),
    [true, false, false],
  );
  t.equal(new KernelError('ACTOR_ID_TAKEN', 'x').retryable, false);
});

t.test('an ask whose message cannot be built fails with that error', async (t) => {
  const { ref } = createKeeper();
  const asked = ref.ask<string>(() => {
    throw new Error('planted');
  }, 1000);
  await t.rejects(asked, { message: 'planted' });
});

t.test('a period must be above zero', async (t) => {
  const { system } = createTestSystem();
  const refusals: unknown[] = [];
  system.spawn<string>('a', {
    type: 'a',
    start: ({ timers }) => {
      for (const periodMs of [0, -1, Number.NaN]) {
        try {
          timers.every('tick', periodMs, 'tick');
        } catch (error) {
          refusals.push(error);
        }
      }
      timers.every('tick', 0.5, 'tick');
      return { receive: () => undefined };
    },
  });
  await settled();
  t.equal(refusals.length, 3);
  await system.stop();
});
