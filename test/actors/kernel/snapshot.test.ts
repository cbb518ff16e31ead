import t from 'tap';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { worker, type SupervisorSpec } from '../../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../../supervisors/dynamic-children.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

const supervise = (spec: Partial<SupervisorSpec>) =>
  supervisorDefinition(
    { strategy: 'oneForOne', intensity: 3, periodMs: 60_000, backoff: NO_BACKOFF, children: [], ...spec },
    { random: () => 0 },
  );

t.test('an actor is busy when its handler takes unusually long, by what its type is used to', async (t) => {
  const { system, clock } = createTestSystem();
  const releases: (() => void)[] = [];
  const definition = actor<string>(() => new Promise<void>((resolve) => void releases.push(resolve)), { type: 'a' });
  const ref = system.spawn('a', definition);
  const status = () => system.snapshotOf('a')?.status;
  await settled();
  ref.tell('x');
  await pass(clock, 100);
  t.equal(status(), 'running', 'nothing below 100 ms is unusual');
  await pass(clock, 1);
  t.equal(status(), 'busy');
  t.match(system.snapshotOf('a'), { handling: { message: 'string', elapsedMs: 101 } });
  releases[0]?.();
  await settled();
  t.equal(status(), 'running');
  ref.tell('x');
  await pass(clock, 740);
  t.equal(status(), 'running', 'its type is used to 250 ms');
  await pass(clock, 20);
  t.equal(status(), 'busy');
  releases[1]?.();
  await system.stop();
});

t.test('each part of a life has its word', async (t) => {
  const { system, clock } = createTestSystem();
  let opened = (): void => undefined;
  let finished = (): void => undefined;
  let closed = (): void => undefined;
  const ref = system.spawn<string>('a', {
    type: 'a',
    start: async (ctx) => {
      await new Promise<void>((resolve) => (opened = resolve));
      return {
        receive: () => {
          ctx.stop();
          return new Promise<void>((resolve) => (finished = resolve));
        },
        stop: () => new Promise<void>((resolve) => (closed = resolve)),
      };
    },
  });
  const status = () => system.snapshotOf('a')?.status;
  t.equal(status(), 'starting', 'before its first turn');
  await pass(clock, 30);
  t.match(system.snapshotOf('a'), { status: 'starting', handling: { message: 'start', elapsedMs: 30 } });
  opened();
  await settled();
  t.equal(status(), 'running');
  ref.tell('leave');
  await pass(clock, 20);
  t.match(system.snapshotOf('a'), { status: 'stopping', handling: { message: 'string', elapsedMs: 20 } });
  finished();
  await settled();
  t.match(system.snapshotOf('a'), { status: 'stopping', handling: undefined });
  closed();
  await settled();
  t.equal(system.snapshotOf('a'), undefined);
});

t.test('children of the specification stand first and once, present or not', async (t) => {
  const { system, clock } = createTestSystem();
  const dynamic = new DynamicChildren();
  const quiet = actor<string>(() => undefined, { type: 'quiet' });
  const failing = { type: 'failing', start: () => Promise.reject(new Error('no')) };
  const backoff = { baseMs: 1000, maxMs: 1000, factor: 1, jitter: 0, resetAfterMs: 1 };
  const children = [worker('one', quiet), worker('two', failing), worker('gone', quiet, { restart: 'temporary' })];
  system.spawn('r', supervise({ children, dynamic, backoff }));
  await settled();
  system.resolve<string>('r/gone');
  dynamic.start('extra', quiet);
  (system.resolve('r/gone') as unknown as { requestStop(reason: object): void }).requestStop({ kind: 'normal' });
  await pass(clock, 400);
  t.match(system.snapshot().tree, [
    {
      id: 'r',
      type: 'supervisor',
      supervision: { strategy: 'oneForOne', intensity: 3, periodMs: 60_000, restartsUsed: 1 },
      children: [
        { id: 'one', path: 'r/one', status: 'running', restart: 'permanent', restarts: 0 },
        { id: 'two', path: 'r/two', status: 'backoff', restart: 'permanent', backoffMs: 600 },
        { id: 'gone', path: 'r/gone', status: 'ended', restart: 'temporary' },
        { id: 'extra', status: 'running' },
      ],
    },
  ]);
  t.equal(system.snapshot().tree[0]?.children?.length, 4);
  t.equal(system.snapshot().tree[0]?.groups, undefined);
  await system.stop();
});

t.test('many siblings of one type are one line, that names whom to look at', async (t) => {
  const { system, clock } = createTestSystem();
  const dynamic = new DynamicChildren();
  system.spawn('r', supervise({ dynamic }));
  await settled();
  const session = actor<string>(() => new Promise(() => undefined), { type: 'session', handlerDeadlineMs: 60_000 });
  for (let n = 0; n < 24; n += 1) dynamic.start(`s${n}`, session);
  await settled();
  t.equal(system.snapshot().tree[0]?.children?.length, 24, 'two dozen are still listed');
  dynamic.start('s24', session);
  await settled();
  dynamic.find<string>('s7')?.tell('long');
  await pass(clock, 50);
  for (const id of ['s3', 's5']) dynamic.find<string>(id)?.tell('short');
  await pass(clock, 100);
  for (let n = 0; n < 3; n += 1) dynamic.find<string>('s5')?.tell('waits');
  const [root] = system.snapshot().tree;
  t.equal(root?.children, undefined);
  t.strictSame(root?.groups, [
    {
      type: 'session',
      count: 25,
      byStatus: { running: 24, busy: 1 },
      deepestMailbox: { id: 's5', depth: 3 },
      longestHandler: { id: 's7', message: 'string', elapsedMs: 150 },
    },
  ]);
  t.equal(system.snapshotOf('r')?.children?.length, 25, 'asked about alone, all are listed');
  (system.resolve('r') as unknown as { kill(why: string): void }).kill('by the test');
});

t.test('the whole snapshot says when it was taken, how long the system runs, and what reached nobody', async (t) => {
  const { system, clock } = createTestSystem();
  const ref = system.spawn<string>(
    'a',
    actor((_m, ctx) => ctx.stop()),
  );
  ref.tell('x');
  clock.advance(1234.4);
  await settled();
  ref.tell('late');
  t.match(system.snapshot(), {
    capturedAt: clock.now(),
    uptimeMs: 1234,
    liveActors: 0,
    deadLetters: { counts: { stopped: 1, mailbox_full: 0 }, recent: [{ reason: 'stopped' }] },
  });
});
