import t from 'tap';
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import { NO_BACKOFF } from '../../supervisors/backoff.ts';
import { supervisor, worker, type SupervisorSpec } from '../../supervisors/child-spec.ts';
import { Drain } from '../../supervisors/drain.ts';
import { EXIT, exitCodeOf } from '../../supervisors/exit-codes.ts';
import { readinessOf } from '../../supervisors/health.ts';
import { rootSpec, runRoot, type Role } from '../../supervisors/root.ts';
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

function run(roles: Partial<Record<Role, SupervisorSpec>>) {
  const test = createTestSystem();
  const drain = new Drain(test.clock, test.log);
  let stop = (_signal: StopSignal): void => undefined;
  let isFirst = true;
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
      return () => undefined;
    },
  });
  return { ...test, drain, code, stop: (signal: StopSignal) => stop(signal) };
}

t.test('the chosen roles start in the order of the architecture, each under the root', async (t) => {
  const spec = rootSpec({ ops: role(), gateway: role(), api: role() });
  t.equal(spec.strategy, 'restForOne');
  t.strictSame(
    spec.children.map(({ id }) => id),
    ['api', 'gateway', 'ops'],
  );
});

t.test('a stop signal drains, stops the tree in reverse and ends with code 0', async (t) => {
  const events: string[] = [];
  const named = (type: string): ActorDefinition<never> =>
    actor<never>(() => undefined, { type, stop: () => void events.push(`-${type}`) });
  const { code, stop, drain, system, clock } = run({ api: role(named('a'), named('b')), ops: role(named('c')) });
  drain.on('flush', 'events', () => void events.push('flush'));
  await settled();
  t.strictSame(readinessOf(system, 'vello', drain), { isReady: true, waitingFor: [], problems: {} });
  stop('SIGTERM');
  t.strictSame(readinessOf(system, 'vello', drain), { isReady: false, waitingFor: ['draining'], problems: {} });
  t.equal(await code, EXIT.clean);
  t.strictSame(events, ['flush', '-c', '-b', '-a']);
  t.equal(clock.pendingTimers, 0);
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
  const { code, clock, log } = run({ api: role(failing) });
  await pass(clock, 60_000);
  t.equal(await code, EXIT.failed);
  t.ok(log.lines.some(({ message }) => message === 'the root supervisor gave up'));
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
