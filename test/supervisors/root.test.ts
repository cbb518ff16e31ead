import t from 'tap';
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import { NO_BACKOFF } from '../../supervisors/backoff.ts';
import { supervisor, worker, type SupervisorSpec } from '../../supervisors/child-spec.ts';
import { Drain } from '../../supervisors/drain.ts';
import { EXIT, exitCodeOf } from '../../supervisors/exit-codes.ts';
import { readinessOf } from '../../supervisors/health.ts';
import { rootSpec, runRoot, type RootChild } from '../../supervisors/root.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import type { StopSignal } from '../../transports/process/signals.ts';
import { actor, createTestSystem } from '../fixtures/actor-system.ts';
import { pass, settled } from '../fixtures/settled.ts';

const role = (...definitions: ActorDefinition<never>[]): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 1,
  periodMs: 60_000,
  backoff: NO_BACKOFF,
  children: definitions.map((definition) => worker(definition.type, definition)),
});

function run(roles: Partial<Record<RootChild, SupervisorSpec>>) {
  const test = createTestSystem();
  const drain = new Drain(test.clock, test.log);
  let stop = (_signal: StopSignal): void => undefined;
  let isFirst = true;
  let isSubscribed = true;
  // A process is never as old as zero when it is told to stop.
  test.clock.advance(10_000);
  const code = runRoot({
    ...test,
    roles,
    drain,
    drainMs: 5000,
    random: () => 0,
    onStop: (handlers) => {
      stop = (signal) => {
        if (isFirst) handlers.orderly(signal);
        else handlers.atOnce(signal);
        isFirst = false;
      };
      return () => void (isSubscribed = false);
    },
  });
  const told = (message: string) =>
    test.log.lines.filter((line) => line.message === message).map(({ fields }) => fields);
  return { ...test, drain, code, told, isSubscribed: () => isSubscribed, stop: (signal: StopSignal) => stop(signal) };
}

t.test('the chosen roles start in the order of the architecture, each under the root', async (t) => {
  const idsOf = (roles: Parameters<typeof rootSpec>[0]) => rootSpec(roles).children.map(({ id }) => id);
  t.strictSame(idsOf({ ops: role(), gateway: role(), api: role() }), ['api', 'gateway', 'ops']);
  const all = ['programs', 'schema', 'node', 'api', 'gateway', 'collector', 'inference', 'ops'];
  const reversed = Object.fromEntries(all.map((name): [string, SupervisorSpec] => [name, role()]).reverse());
  t.strictSame(idsOf(reversed), all);
  t.match(rootSpec({}), { strategy: 'restForOne', intensity: 3, periodMs: 60_000 });
});

t.test('a stop signal drains, stops the tree in reverse and ends with code 0', async (t) => {
  const events: string[] = [];
  const named = (type: string): ActorDefinition<never> =>
    actor<never>(() => undefined, { type, stop: () => void events.push(`-${type}`) });
  const { code, stop, drain, system, clock, told, isSubscribed } = run({
    api: role(named('a'), named('b')),
    ops: role(named('c')),
  });
  drain.on('flush', 'events', () => void events.push('flush'));
  await settled();
  t.strictSame(readinessOf(system, 'vello', drain), { isReady: true, waitingFor: [], problems: {} });
  stop('SIGTERM');
  t.strictSame(readinessOf(system, 'vello', drain), { isReady: false, waitingFor: ['draining'], problems: {} });
  t.equal(await code, EXIT.clean);
  t.strictSame(events, ['flush', '-c', '-b', '-a']);
  t.equal(clock.pendingTimers, 0);
  t.strictSame(told('stopping'), [{ cause: 'SIGTERM', drainMs: 5000 }]);
  t.strictSame(told('stopped'), [{ elapsedMs: 0 }]);
  t.notOk(isSubscribed(), 'and nobody listens for signals any more');
  t.strictSame(told('the root supervisor gave up'), [], 'nor is it taken for a failure');
});

const hanging = (shutdownMs: number): SupervisorSpec => ({
  ...role(),
  children: [
    worker(
      'hanging',
      actor<never>(() => undefined, { type: 'hanging', stop: () => new Promise(() => undefined) }),
      {
        shutdownMs,
      },
    ),
  ],
});

/** Whether it has ended, and how, without waiting for it. */
function watch(code: Promise<number>): { ended: number | undefined } {
  const watched: { ended: number | undefined } = { ended: undefined };
  void code.then((value) => (watched.ended = value));
  return watched;
}

t.test('drain and tree have the deadline together: what the drain took the tree has not', async (t) => {
  const { code, stop, clock, drain, told } = run({ api: hanging(60_000) });
  drain.on('finish', 'request', () => new Promise((resolve) => clock.setTimer(2000, () => resolve())));
  await settled();
  const watched = watch(code);
  stop('SIGTERM');
  await pass(clock, 4999);
  t.equal(watched.ended, undefined);
  await pass(clock, 1);
  t.equal(watched.ended, EXIT.cutOff);
  t.strictSame(told('stopped, but something was cut off'), [{ cutOff: [], treeKilled: true }]);
  t.strictSame(told('stopped'), []);
});

t.test('a drain that used up everything leaves the tree a second, and its end says what was cut off', async (t) => {
  const { code, stop, clock, drain, told } = run({ api: hanging(999) });
  drain.on('finish', 'request', () => new Promise(() => undefined));
  await settled();
  const watched = watch(code);
  stop('SIGTERM');
  await pass(clock, 5998);
  t.equal(watched.ended, undefined);
  await pass(clock, 1);
  t.equal(watched.ended, EXIT.cutOff, 'also where the tree itself stopped in time');
  t.strictSame(told('stopped, but something was cut off'), [{ cutOff: ['finish: request'], treeKilled: false }]);
});

t.test('a stop that took a while says how long', async (t) => {
  const { code, stop, clock, told } = run({ api: hanging(700) });
  await settled();
  stop('SIGTERM');
  await pass(clock, 700);
  t.equal(await code, EXIT.clean);
  t.strictSame(told('stopped'), [{ elapsedMs: 700 }]);
});

t.test('a tree that does not stop is cut off at the deadline: code 3', async (t) => {
  const hanging = actor<never>(() => undefined, { type: 'hanging', stop: () => new Promise(() => undefined) });
  const spec = { ...role(), children: [worker('hanging', hanging, { shutdownMs: 60_000 })] };
  const { code, stop, clock } = run({ api: spec });
  await settled();
  stop('SIGINT');
  await pass(clock, 5000);
  t.equal(await code, EXIT.cutOff);
});

t.test('a second signal ends it at once, with the code shells give that signal', async (t) => {
  const { code, stop, drain, system } = run({ api: role() });
  drain.on('finish', 'endless', () => new Promise(() => undefined));
  await settled();
  stop('SIGTERM');
  stop('SIGINT');
  t.equal(await code, exitCodeOf('SIGINT'));
  t.equal(system.resolve('vello'), undefined);
});

t.test('a root that cannot keep its roles running ends with code 1', async (t) => {
  const failing: ActorDefinition<never> = { type: 'failing', start: () => Promise.reject(new Error('no database')) };
  const { code, clock, told, system, drain, isSubscribed } = run({ api: role(failing) });
  const events: string[] = [];
  drain.on('flush', 'events', () => void events.push('flush'));
  system.spawn(
    'beside',
    actor<never>(() => undefined, { stop: () => void events.push('-beside') }),
  );
  await pass(clock, 60_000);
  t.equal(await code, EXIT.failed);
  t.equal(told('the root supervisor gave up').length, 1);
  t.strictSame(events, ['flush', '-beside'], 'what was owed is written down first, and nothing goes on beside it');
  t.notOk(isSubscribed());
});

t.test('ready means that every permanent child down the tree is started and says so', async (t) => {
  let connected = false;
  let opened = (): void => undefined;
  const connecting = actor<never>(() => undefined, { type: 'connecting', ready: () => connected });
  const opening: ActorDefinition<never> = {
    type: 'opening',
    start: async () => {
      await new Promise<void>((resolve) => (opened = resolve));
      return { receive: () => undefined };
    },
  };
  const optional = actor<never>(() => undefined, { type: 'optional', ready: () => false });
  const { code, stop, drain, system } = run({
    api: {
      ...role(),
      children: [
        supervisor('inner', role(connecting)),
        worker('opening', opening),
        worker('optional', optional, { restart: 'transient' }),
      ],
    },
  });
  await settled();
  t.match(readinessOf(system, 'vello', drain), {
    isReady: false,
    waitingFor: ['vello/api/inner/connecting', 'vello/api/opening'],
  });
  connected = true;
  opened();
  await settled();
  t.equal(readinessOf(system, 'vello', drain).isReady, true);
  stop('SIGTERM');
  await code;
});

t.test('before there is a tree nothing is ready, and a child that knows what is wrong says it', async (t) => {
  const { system, log, clock } = createTestSystem();
  const drain = new Drain(clock, log);
  t.strictSame(readinessOf(system, 'vello', drain), { isReady: false, waitingFor: ['vello'], problems: {} });
  let facts: Readonly<Record<string, string | number>> = { problem: 'the password is wrong' };
  const watch = actor<never>(() => undefined, { ready: () => false, describe: () => facts });
  const silent = actor<never>(() => undefined, { ready: () => false });
  const spec = { ...role(), children: [worker('watch', watch), worker('silent', silent)] };
  system.spawn('vello', supervisorDefinition(spec, { random: () => 0 }));
  await settled();
  t.strictSame(readinessOf(system, 'vello', drain), {
    isReady: false,
    waitingFor: ['vello/watch', 'vello/silent'],
    problems: { 'vello/watch': 'the password is wrong' },
  });
  facts = { problem: 28 };
  t.strictSame(readinessOf(system, 'vello', drain).problems, {});
  await system.stop();
});

t.test('an actor that supervises nothing is no tree: not ready', async (t) => {
  const { system, log, clock } = createTestSystem();
  system.spawn(
    'vello',
    actor<never>(() => undefined),
  );
  await settled();
  t.strictSame(readinessOf(system, 'vello', new Drain(clock, log)).waitingFor, ['vello']);
  await system.stop();
});
