/** The one life of an incarnation: each turn it may take, and that each happens once. */
import t from 'tap';
import type { Behaviour } from '../../../actors/kernel/actor.ts';
import type { ExitReason } from '../../../actors/kernel/exit-reason.ts';
import type { LiveActor } from '../../../actors/kernel/kernel.ts';
import type { Ref } from '../../../actors/kernel/ref.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const inside = (ref: Ref<never>) => ref as unknown as LiveActor;

/** An actor that opens, works and closes when the test lets it, and notes what it did. */
function createHeld() {
  const test = createTestSystem();
  const events: string[] = [];
  const allow: Record<'open' | 'work' | 'close', (error?: Error) => void> = {
    open: () => undefined,
    work: () => undefined,
    close: () => undefined,
  };
  const held = (name: keyof typeof allow) =>
    new Promise<void>((resolve, reject) => (allow[name] = (error) => (error ? reject(error) : resolve())));
  const behaviour: Behaviour<string> = {
    receive: (message) => {
      events.push(`receive ${message}`);
      return held('work');
    },
    stop: (reason: ExitReason) => {
      events.push(`stop ${reason.kind}`);
      return held('close');
    },
  };
  const ref = test.system.spawn<string>('a', {
    type: 'a',
    start: (ctx) => {
      ctx.timers.every('tick', 60_000, 'tick');
      return held('open').then(() => behaviour);
    },
  });
  return { ...test, ref, events, allow };
}

t.test('what is told while it starts is handled once it has started', async (t) => {
  const { ref, events, allow } = createHeld();
  await settled();
  t.equal(ref.tell('early'), 'delivered');
  await settled();
  t.strictSame(events, []);
  allow.open();
  await settled();
  t.strictSame(events, ['receive early']);
});

t.test('told to stop while it starts, it stops once it has started, and handles nothing', async (t) => {
  const { ref, events, allow, system } = createHeld();
  await settled();
  ref.tell('early');
  inside(ref).requestStop({ kind: 'normal' });
  inside(ref).requestStop({ kind: 'shutdown' });
  allow.open();
  await settled();
  t.strictSame(events, ['stop normal']);
  t.equal(ref.tell('late'), 'dead');
  allow.close();
  await settled();
  t.equal(system.resolve('a'), undefined);
  t.equal(system.deadLetters.counts.stopped, 2);
});

t.test('told to stop in each part of its life, it has its five seconds from there and is then killed', async (t) => {
  for (const part of ['starting', 'handling', 'ending'] as const) {
    const { ref, events, allow, system, clock } = createHeld();
    await settled();
    if (part !== 'starting') allow.open();
    await settled();
    if (part === 'handling') ref.tell('work');
    await settled();
    let reason: ExitReason | undefined;
    inside(ref).onExit((given) => (reason = given));
    inside(ref).requestStop({ kind: 'shutdown' });
    await pass(clock, 4999);
    t.equal(reason, undefined, part);
    await pass(clock, 1);
    t.strictSame(reason, { kind: 'killed', why: 'did not stop within 5000 ms' }, part);
    t.equal(clock.pendingTimers, 0, 'neither its timers nor its deadline are left');
    t.equal(system.resolve('a'), undefined);
    await settled();
    t.equal(events.filter((event) => event.startsWith('stop')).length, part === 'starting' ? 0 : 1, 'stopped once');
  }
});

t.test('a deadline runs from the request to stop, through the handler and its stop together', async (t) => {
  const { ref, allow, system, clock } = createHeld();
  await settled();
  allow.open();
  await settled();
  ref.tell('work');
  await settled();
  inside(ref).requestStop({ kind: 'shutdown' });
  await pass(clock, 3000);
  allow.work();
  await pass(clock, 1999);
  t.ok(system.resolve('a'));
  await pass(clock, 1);
  t.equal(system.resolve('a'), undefined);
});

t.test('killed while it starts, it gives back what the start took, and says when that fails', async (t) => {
  const { ref, events, allow, log, metrics } = createHeld();
  await settled();
  inside(ref).kill('by the test');
  allow.open();
  await settled();
  t.strictSame(events, ['stop killed']);
  allow.close(new Error('stuck lock'));
  await settled();
  t.match(log.lines, [
    { message: 'actor crashed', fields: { exit: 'killed: by the test', message: 'start' } },
    { message: 'actor failed to stop', fields: { actor: 'a', error: 'stuck lock' } },
  ]);
  metrics.scrape();
  t.equal(metrics.value('vello_actor_started_total', { type: 'a' }), 0);
});

t.test(
  'killed with a handler in flight, it is reported with that message, once, and its stop is called once',
  async (t) => {
    const { ref, events, allow, log, clock } = createHeld();
    await settled();
    allow.open();
    await settled();
    ref.tell('work');
    ref.tell('waits');
    await settled();
    inside(ref).kill('by the test');
    inside(ref).kill('again');
    await settled();
    allow.work(new Error('late'));
    allow.close(new Error('late'));
    await pass(clock, 60_000);
    t.strictSame(events, ['receive work', 'stop killed']);
    t.match(log.lines, [
      { message: 'actor crashed', fields: { exit: 'killed: by the test', message: 'string', mailboxDepth: 1 } },
      { message: 'actor failed to stop' },
    ]);
    t.equal(log.lines.length, 2);
  },
);

t.test('a stop that was called is not called again by a kill', async (t) => {
  const { ref, events, allow } = createHeld();
  await settled();
  allow.open();
  await settled();
  inside(ref).requestStop({ kind: 'shutdown' });
  await settled();
  inside(ref).kill('by the test');
  await settled();
  t.strictSame(events, ['stop shutdown']);
});

t.test('a start or stop that throws at once counts as a failure; one that rejects as well', async (t) => {
  for (const isAsync of [false, true]) {
    const { system, metrics, log } = createTestSystem();
    const planted = () => {
      if (!isAsync) throw new Error('planted');
      return Promise.reject(new Error('planted'));
    };
    system.spawn('start', { type: 'a', start: planted });
    system.spawn('stop', { type: 'a', start: () => ({ receive: () => undefined, stop: planted }) });
    await settled();
    t.match(log.lines, [{ message: 'actor crashed', fields: { actor: 'start', message: 'start' } }]);
    await system.stop();
    metrics.scrape();
    t.equal(metrics.value('vello_actor_failures_total', { type: 'a' }), 2);
    t.equal(metrics.value('vello_actor_stopped_total', { type: 'a', reason: 'crashed' }), 1);
    t.equal(metrics.value('vello_actor_stopped_total', { type: 'a', reason: 'shutdown' }), 1);
  }
});

t.test('who asks for the end of one that has ended is told at once, with its reason', async (t) => {
  const { system } = createTestSystem();
  const ref = system.spawn<string>(
    'a',
    actor((_m, ctx) => ctx.stop()),
  );
  const reasons: ExitReason[] = [];
  inside(ref).onExit((reason) => reasons.push(reason));
  inside(ref).onExit((reason) => reasons.push(reason));
  ref.tell('stop');
  await settled();
  inside(ref).onExit((reason) => reasons.push(reason));
  t.strictSame(reasons, [{ kind: 'normal' }, { kind: 'normal' }, { kind: 'normal' }]);
});

t.test('a supervisor has no deadline unless it is given one', async (t) => {
  const { system, clock } = createTestSystem();
  const slow = actor<string>(() => undefined, { stop: () => new Promise(() => undefined) });
  system.spawn(
    'r',
    supervisorDefinition(
      {
        strategy: 'oneForOne',
        intensity: 1,
        periodMs: 1000,
        children: [{ id: 'slow', start: () => slow, restart: 'permanent', shutdownMs: 600_000, type: 'worker' }],
      },
      { random: () => 0 },
    ),
  );
  await settled();
  const stopped = system.stop();
  await pass(clock, 599_999);
  t.ok(system.resolve('r/slow'));
  await pass(clock, 1);
  await stopped;
  t.equal(system.resolve('r'), undefined);
});

t.test('an id is taken until its actor has ended, and the refusal names it', async (t) => {
  const { system } = createTestSystem();
  const definition = actor<string>((_m, ctx) => ctx.stop());
  const ref = system.spawn('a', definition);
  t.throws(() => system.spawn('a', definition), { code: 'ACTOR_ID_TAKEN', message: 'a is running already' });
  ref.tell('stop');
  await settled();
  system.spawn('a', definition);
  const stopped = system.stop();
  t.throws(() => system.spawn('b', definition), { code: 'ACTOR_PARENT_STOPPED' });
  await stopped;
});

t.test('a stuck start is reported as one', async (t) => {
  const { system, clock, log } = createTestSystem();
  system.spawn('a', { type: 'a', handlerDeadlineMs: 5000, start: () => new Promise<never>(() => undefined) });
  await pass(clock, 4000);
  t.strictSame(log.lines, []);
  await pass(clock, 20_000);
  t.match(log.lines, [{ message: 'actor is stuck', fields: { message: 'start', handlerDeadlineMs: 5000 } }]);
  t.equal(log.lines.length, 1);
});
