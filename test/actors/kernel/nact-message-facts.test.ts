// The second half of what nact 7.6.2 does when it is used directly: messages, addresses, time and logs. See nact-facts.test.ts.
import t from 'tap';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import type { Reply } from '../../../actors/kernel/ref.ts';
import { worker, type SupervisorSpec } from '../../../supervisors/child-spec.ts';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const supervise = (children: SupervisorSpec['children'], rest: Partial<SupervisorSpec> = {}) =>
  supervisorDefinition(
    { strategy: 'oneForOne', intensity: 3, periodMs: 60_000, backoff: NO_BACKOFF, children, ...rest },
    { random: () => 0 },
  );

t.test(
  'fact 12, an unbounded mailbox nobody can see: it is bounded, and its depth is shown and measured',
  async (t) => {
    const { system, metrics } = createTestSystem();
    const ref = system.spawn<string>(
      'a',
      actor(() => new Promise(() => undefined), { type: 'slow', mailbox: { capacity: 3 } }),
    );
    await settled();
    ref.tell('in flight');
    await settled();
    t.strictSame(
      ['1', '2', '3', '4'].map((message) => ref.tell(message)),
      ['delivered', 'delivered', 'delivered', 'mailbox_full'],
    );
    t.match(system.snapshotOf('a'), { mailboxDepth: 3, handling: { message: 'string' } });
    metrics.scrape();
    t.equal(metrics.value('vello_actor_mailbox_depth_max', { type: 'slow' }), 3);
    t.equal(metrics.value('vello_actor_mailbox_dropped_total', { type: 'slow' }), 1);
  },
);

t.test(
  'fact 13, a crash context exposes the waiting messages: they become dead letters without their payload',
  async (t) => {
    const { system } = createTestSystem();
    const ref = system.spawn<{ type: string; secret?: string }>(
      'a',
      actor(() => {
        throw new Error('crash');
      }),
    );
    for (const type of ['first', 'second', 'third']) ref.tell({ type, secret: 'payload' });
    await settled();
    t.strictSame(
      system.deadLetters.recent().map(({ messageType, reason }) => `${messageType} ${reason}`),
      ['second stopped', 'third stopped'],
    );
    t.notMatch(JSON.stringify(system.deadLetters.recent()), /payload/);
    await system.stop();
  },
);

t.test(
  'fact 14, a stale reference reaches the next actor of that name: it is dead, and counted as stale',
  async (t) => {
    const { system } = createTestSystem();
    const definition = actor<string>((_m, ctx) => ctx.stop());
    system.spawn('vello', supervise([worker('a', definition)]));
    await settled();
    const stale = system.resolve<string>('vello/a');
    stale?.tell('stop');
    await settled();
    t.equal(stale?.tell('again'), 'dead');
    t.equal(system.deadLetters.counts.stale_incarnation, 1);
    await system.stop();
  },
);

t.test('fact 15, many characters are refused in names: an id may hold anything but a slash', async (t) => {
  const { system } = createTestSystem();
  for (const id of ['device:01', '#7', 'with space', 'ä', '100%']) {
    system.spawn(
      id,
      actor<string>(() => undefined),
    );
    t.equal(system.resolve(id)?.path, id);
  }
  for (const id of ['', 'a/b'])
    t.throws(
      () =>
        system.spawn(
          id,
          actor<string>(() => undefined),
        ),
      { code: 'ACTOR_ID_INVALID' },
    );
  await system.stop();
});

t.test('fact 16, messages to the dead vanish and asks wait in vain: both learn it at once', async (t) => {
  const { system } = createTestSystem();
  const ref = system.spawn<Reply<number>>(
    'a',
    actor((_reply, ctx) => ctx.stop()),
  );
  const waiting = ref.ask<number>((reply) => reply, 3_600_000);
  await t.rejects(waiting, { code: 'ASK_TARGET_STOPPED' });
  await t.rejects(
    ref.ask<number>((reply) => reply, 3_600_000),
    { code: 'ASK_TARGET_STOPPED' },
  );
  t.equal(ref.tell({ ok: () => undefined, fail: () => undefined }), 'dead');
  await system.stop();
});

t.test(
  'fact 17, queries share 32-bit random ids: twenty thousand asks at once each get their own answer',
  async (t) => {
    const { system } = createTestSystem();
    const ref = system.spawn<{ n: number; reply: Reply<number> }>(
      'echo',
      actor(({ n, reply }) => reply.ok(n), { mailbox: { capacity: 20_000 } }),
    );
    const asked = Array.from({ length: 20_000 }, (_, n) => ref.ask<number>((reply) => ({ n, reply }), 1000));
    const answers = await Promise.all(asked);
    t.ok(answers.every((answer, n) => answer === n));
    await system.stop();
  },
);

t.test('fact 18, idle actors re-arm a timer after every message: a message arms none', async (t) => {
  const { system, clock } = createTestSystem();
  const refs = Array.from({ length: 1000 }, (_, n) =>
    system.spawn(
      `idler-${n}`,
      actor<string>(() => undefined),
    ),
  );
  for (const ref of refs) ref.tell('hello');
  await settled();
  t.equal(clock.pendingTimers, 0);
  await system.stop();
});

t.test(
  'fact 19, a promise that never settles wedges its actor unseen: it is reported, and can be replaced',
  async (t) => {
    const { system, clock, log } = createTestSystem();
    const handled: string[] = [];
    const wedging = actor<string>(
      (message) => {
        handled.push(message);
        return message === 'wedge' ? new Promise(() => undefined) : undefined;
      },
      { type: 'wedging', handlerDeadlineMs: 2000 },
    );
    system.spawn('vello', supervise([worker('a', wedging)]));
    await settled();
    const wedged = system.resolve<string>('vello/a') as LiveActor | undefined;
    wedged?.tell('wedge');
    await pass(clock, 1999);
    t.equal(wedged?.tell('waits'), 'delivered');
    await pass(clock, 1001);
    t.ok(log.lines.some(({ message, fields }) => message === 'actor is stuck' && fields['actor'] === 'vello/a'));
    wedged?.kill('by an operator');
    await settled();
    system.resolve<string>('vello/a')?.tell('works');
    await settled();
    t.strictSame(handled, ['wedge', 'works']);
    t.equal(wedged?.tell('late'), 'dead');
    await system.stop();
  },
);

t.test('fact 20, the default policy prints messages: neither terminal nor log ever sees one', async (t) => {
  const { system, log } = createTestSystem();
  const printed: unknown[][] = [];
  const original = console.log;
  console.log = (...args) => void printed.push(args);
  t.teardown(() => void (console.log = original));
  system
    .spawn<{ type: string; secret: string }>(
      'a',
      actor(() => {
        throw new Error('crash');
      }),
    )
    .tell({ type: 'job', secret: 'payload' });
  await settled();
  await system.stop();
  t.strictSame(printed, []);
  t.notMatch(JSON.stringify(log.lines), /payload/);
});

t.test('fact 21, each log line is a message through an actor: a line is written at once, without one', async (t) => {
  const { system, log } = createTestSystem();
  const written: unknown[] = [];
  system.spawn<never>('a', {
    type: 'a',
    start(ctx) {
      ctx.log.info('starting');
      written.push(...log.lines);
      return { receive: () => undefined };
    },
  });
  await settled();
  t.match(written, [{ message: 'starting', fields: { actor: 'a' } }]);
  await system.stop();
});
