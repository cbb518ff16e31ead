import t from 'tap';
import { worker } from '../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../supervisors/dynamic-children.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import { createTestSystem } from '../fixtures/actor-system.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createTree } from '../fixtures/supervision-tree.ts';

t.test('a child added at run time restarts by its own restart type', async (t) => {
  for (const [restart, ending, comesBack] of [
    ['temporary', 'crashed', false],
    ['transient', 'crashed', true],
    ['transient', 'normal', false],
    ['permanent', 'normal', true],
  ] as const) {
    const sessions = new DynamicChildren();
    let make: Parameters<typeof sessions.start>[1] | undefined;
    const { system, end, find } = createTree((child) => {
      make = child('session');
      return { dynamic: sessions };
    });
    await settled();
    if (make !== undefined) sessions.start('s', make, { restart });
    await settled();
    await end('s', ending);
    t.equal(find('s') !== undefined, comesBack, `${restart} ${ending}`);
    t.equal(sessions.size, comesBack ? 1 : 0);
    await system.stop();
  }
});

t.test('a child stopped by the handle is gone whatever its restart type, even during its backoff', async (t) => {
  const sessions = new DynamicChildren();
  let starts = 0;
  const { system, clock } = createTree(() => ({
    dynamic: sessions,
    backoff: { baseMs: 100, maxMs: 100, factor: 1, jitter: 0, resetAfterMs: 1000 },
  }));
  await settled();
  const definition = {
    type: 'session',
    start() {
      starts += 1;
      return {
        receive: () => {
          throw new Error('crash');
        },
      };
    },
  };
  const ref = sessions.start<string>('s', definition, { restart: 'permanent' });
  await settled();
  ref.tell('crash');
  await settled();
  t.equal(sessions.find('s'), undefined);
  sessions.stop('s');
  await pass(clock, 1000);
  t.equal(starts, 1);
  t.equal(sessions.size, 0);
  sessions.start('s', definition);
  await settled();
  t.equal(starts, 2, 'its id is free again');
  await system.stop();
});

t.test('children that crash too often spend the budget of their supervisor', async (t) => {
  const sessions = new DynamicChildren();
  const { system } = createTree(() => ({ dynamic: sessions, intensity: 2 }));
  await settled();
  for (let n = 0; n < 3; n += 1) {
    sessions.start(`s${n}`, { type: 's', start: () => Promise.reject(new Error('no')) }, { restart: 'permanent' });
  }
  await settled();
  await settled();
  t.equal(system.resolve('vello'), undefined);
  t.throws(() => sessions.start('late', { type: 's', start: () => ({ receive: () => undefined }) }), {
    code: 'ACTOR_PARENT_STOPPED',
  });
  await system.stop();
});

t.test('after its supervisor restarted, the handle reaches the new one, and the old children are gone', async (t) => {
  const sessions = new DynamicChildren();
  const { system, find } = createTree((child) => ({
    strategy: 'oneForAll',
    children: [
      {
        id: 'sessions',
        start: () => ({ strategy: 'oneForOne', intensity: 1, periodMs: 1000, children: [], dynamic: sessions }),
        restart: 'permanent',
        shutdownMs: Infinity,
        type: 'supervisor',
      },
      worker('other', child('other')),
    ],
  }));
  await settled();
  const session = { type: 'session', start: () => ({ receive: () => undefined }) };
  sessions.start('s', session);
  await settled();
  find('other')?.tell('crashed');
  await settled();
  await settled();
  t.equal(sessions.find('s'), undefined);
  sessions.start('s', session);
  await settled();
  t.ok(find('sessions/s'));
  await system.stop();
});

t.test('twenty thousand sessions under shards come, are found, are shown in short, and go', async (t) => {
  const { system } = createTestSystem();
  const shards = Array.from({ length: 64 }, () => new DynamicChildren());
  system.spawn(
    'vello',
    supervisorDefinition(
      {
        strategy: 'oneForOne',
        intensity: 3,
        periodMs: 60_000,
        children: shards.map((dynamic, n) => ({
          id: `shard-${n}`,
          start: () => ({ strategy: 'oneForOne', intensity: 10, periodMs: 60_000, children: [], dynamic }),
          restart: 'permanent',
          shutdownMs: Infinity,
          type: 'supervisor',
        })),
      },
      { random: () => 0 },
    ),
  );
  await settled();
  const session = { type: 'session', start: () => ({ receive: () => undefined }) };
  for (let n = 0; n < 20_000; n += 1) shards[n % 64]?.start(`device-${n}`, session);
  await settled(20);
  const snapshot = system.snapshot();
  t.equal(snapshot.liveActors, 20_000 + 64 + 1);
  t.ok(JSON.stringify(snapshot).length < 64 * 1024, 'the snapshot does not grow with the sessions');
  t.match(snapshot.tree[0]?.children?.[0]?.groups, [{ type: 'session', byStatus: { running: 313 } }]);
  t.ok(system.resolve('vello/shard-63/device-63'));
  await system.stop();
  t.equal(system.snapshot().liveActors, 0);
});

t.test(
  'a supervisor that stops ends its dynamic children first, and waits for the last before any other',
  async (t) => {
    const sessions = new DynamicChildren();
    let release = (): void => undefined;
    const { system, taken, ...tree } = createTree((child, note) => {
      const slow = {
        type: 'slow',
        start: () => ({
          receive: () => undefined,
          stop: async () => {
            await new Promise<void>((resolve) => (release = resolve));
            note('-slow');
          },
        }),
      };
      return {
        dynamic: sessions,
        children: [
          worker('store', child('store')),
          worker('starter', {
            ...child('starter'),
            start: (ctx) => {
              sessions.start('quick', child('quick'));
              sessions.start('slow', slow);
              return child('starter').start(ctx);
            },
          }),
        ],
      };
    });
    await settled();
    t.equal(taken(), '+store +starter +quick');
    const stopped = system.stop();
    await settled();
    t.equal(taken(), '-quick');
    release();
    await stopped;
    t.equal(taken(), '-slow -starter -store');
    t.equal(tree.clock.pendingTimers, 0);
  },
);
