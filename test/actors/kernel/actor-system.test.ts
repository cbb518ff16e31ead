import t from 'tap';
import { AskError } from '../../../actors/kernel/errors.ts';
import type { Reply } from '../../../actors/kernel/ref.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

t.test('messages from one sender arrive in the order they were told', async (t) => {
  const { system } = createTestSystem();
  const seen: number[] = [];
  const ref = system.spawn<number>(
    'a',
    actor((n) => void seen.push(n)),
  );
  for (let n = 0; n < 500; n += 1) t.equal(ref.tell(n), 'delivered');
  await settled();
  t.strictSame(
    seen,
    Array.from({ length: 500 }, (_, n) => n),
  );
  await system.stop();
});

t.test('an asynchronous handler suspends its own actor and no other', async (t) => {
  const { system } = createTestSystem();
  let release = (): void => undefined;
  const seen: string[] = [];
  const slow = system.spawn<string>(
    'slow',
    actor(async (m) => {
      seen.push(`slow ${m} begins`);
      await new Promise<void>((resolve) => (release = resolve));
      seen.push(`slow ${m} ends`);
    }),
  );
  const quick = system.spawn<string>(
    'quick',
    actor((m) => void seen.push(`quick ${m}`)),
  );
  slow.tell('1');
  slow.tell('2');
  quick.tell('1');
  await settled();
  t.strictSame(seen, ['slow 1 begins', 'quick 1']);
  release();
  await settled();
  t.strictSame(seen, ['slow 1 begins', 'quick 1', 'slow 1 ends', 'slow 2 begins']);
  release();
  await system.stop();
});

t.test('an ask resolves to the answer', async (t) => {
  const { system } = createTestSystem();
  const ref = system.spawn<Reply<number>>(
    'a',
    actor((reply) => reply.ok(42)),
  );
  t.equal(await ref.ask<number>((reply) => reply, 1000), 42);
  await system.stop();
});

t.test('an ask fails at its deadline, and the late answer is an expired_ask dead letter', async (t) => {
  const { system, clock } = createTestSystem();
  const replies: Reply<number>[] = [];
  const ref = system.spawn<Reply<number>>(
    'a',
    actor((reply) => void replies.push(reply)),
  );
  const answer = ref.ask<number>((reply) => reply, 1000);
  answer.catch(() => undefined);
  await pass(clock, 999);
  await pass(clock, 1);
  await t.rejects(answer, { code: 'ASK_TIMEOUT' });
  replies[0]?.ok(1);
  t.equal(system.deadLetters.counts.expired_ask, 1);
  await system.stop();
});

t.test('an ask fails at once when its target stops', async (t) => {
  const { system } = createTestSystem();
  const ref = system.spawn<Reply<number> | 'stop'>(
    'a',
    actor((m, ctx) => {
      if (m === 'stop') ctx.stop();
    }),
  );
  const answer = ref.ask<number>((reply) => reply, 60_000);
  ref.tell('stop');
  await t.rejects(answer, { code: 'ASK_TARGET_STOPPED' });
  await t.rejects(
    ref.ask((reply) => reply as Reply<number>, 1),
    AskError,
  );
  await system.stop();
});

t.test('a ref never reaches the next actor with the same path', async (t) => {
  const { system } = createTestSystem();
  const seen: string[] = [];
  const spawn = (name: string) =>
    system.spawn<string>(
      'a',
      actor((m, ctx) => {
        seen.push(`${name} ${m}`);
        ctx.stop();
      }),
    );
  const first = spawn('first');
  first.tell('x');
  await settled();
  const second = spawn('second');
  t.equal(first.tell('y'), 'dead');
  t.equal(system.deadLetters.counts.stale_incarnation, 1);
  t.ok(second.incarnation > first.incarnation);
  second.tell('z');
  await settled();
  t.strictSame(seen, ['first x', 'second z']);
  t.equal(second.tell('late'), 'dead');
  t.equal(system.deadLetters.counts.stopped, 1);
  await system.stop();
});

t.test('stopping the system ends every actor without a parent, newest first', async (t) => {
  const { system, clock } = createTestSystem();
  const ended: string[] = [];
  for (const id of ['one', 'two', 'three']) {
    system.spawn<never>(
      id,
      actor<never>(() => undefined, { stop: () => void ended.push(id) }),
    );
  }
  await settled();
  await system.stop();
  t.strictSame(ended, ['three', 'two', 'one']);
  t.equal(system.resolve('one'), undefined);
  t.equal(clock.pendingTimers, 0);
});

t.test('an actor whose stop hangs is killed at its deadline', async (t) => {
  const { system, clock } = createTestSystem();
  system.spawn<never>(
    'a',
    actor<never>(() => undefined, { stop: () => new Promise(() => undefined) }),
  );
  await settled();
  const stopped = system.stop();
  await pass(clock, 5000);
  await stopped;
  t.equal(system.resolve('a'), undefined);
});
