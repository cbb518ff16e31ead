import t from 'tap';
import type { LiveActor } from '../../actors/kernel/kernel.ts';
import { supervisionOf } from '../../actors/kernel/supervision-view.ts';
import { worker } from '../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../supervisors/dynamic-children.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createTree } from '../fixtures/supervision-tree.ts';

const backoff = { baseMs: 100, maxMs: 1000, factor: 2, jitter: 0, resetAfterMs: 10_000 };
type Tree = ReturnType<typeof createTree>;

const behaviourOf = ({ system }: Tree) => (system.resolve('vello') as LiveActor | undefined)?.behaviour;
const childOf = (tree: Tree) => supervisionOf(behaviourOf(tree))?.children[0];
const one = () => createTree((child) => ({ backoff, children: [worker('a', child('a'))] }));

t.test('whoever looks sees how often a child was restarted, and how long it still waits', async (t) => {
  const tree = one();
  await pass(tree.clock, 5000);
  t.match(childOf(tree), { status: 'up', restarts: 0, backoffMs: 0 });
  t.equal(behaviourOf(tree)?.ready?.(), true);
  await tree.crash('a');
  await pass(tree.clock, 30);
  t.match(childOf(tree), { status: 'backoff', restarts: 0, backoffMs: 70 });
  t.equal(behaviourOf(tree)?.ready?.(), false);
  await pass(tree.clock, 70);
  t.match(childOf(tree), { status: 'up', restarts: 1, backoffMs: 0 });
  t.equal((tree.find('a') as unknown as LiveActor).stats.restarts, 1);
  await tree.system.stop();
});

t.test('a supervisor that gives up is counted once', async (t) => {
  const tree = createTree((child) => ({ intensity: 0, children: [worker('a', child('a'))] }));
  await settled();
  const { stats } = tree.system.resolve('vello') as LiveActor;
  await tree.crash('a');
  t.equal(stats.budgetsExhausted, 1);
  await tree.system.stop();
});

t.test('how long a child ran counts from its own start, not from that of the process', async (t) => {
  const tree = one();
  await settled();
  await pass(tree.clock, 20_000);
  const delays: (number | undefined)[] = [];
  for (let n = 0; n < 3; n += 1) {
    await tree.crash('a');
    delays.push(childOf(tree)?.backoffMs);
    await pass(tree.clock, 1000);
  }
  t.strictSame(delays, [100, 200, 400]);
  await tree.system.stop();
});

t.test('a child that never came up has not recovered, however old the process is', async (t) => {
  const tree = createTree((child) => ({
    backoff,
    intensity: 100,
    children: [worker('a', child('a', { start: () => Promise.reject(new Error('no')) }))],
  }));
  await pass(tree.clock, 20_000);
  t.ok((childOf(tree)?.restarts ?? 0) < 30, 'its delay stays at the cap');
  await tree.system.stop();
});

t.test('a child that ran for less than twice its last delay has not recovered', async (t) => {
  const tree = createTree((child) => ({
    backoff: { ...backoff, resetAfterMs: 10 },
    children: [worker('a', child('a'))],
  }));
  await settled();
  await tree.crash('a');
  await pass(tree.clock, 100 + 150);
  await tree.crash('a');
  t.equal(childOf(tree)?.backoffMs, 200);
  await tree.system.stop();
});

t.test(
  'a child added at run time waits for its restart, keeps its id meanwhile, and is found again after',
  async (t) => {
    const sessions = new DynamicChildren();
    const tree = createTree((child) => ({ backoff, dynamic: sessions, children: [worker('fixed', child('fixed'))] }));
    await settled();
    const session = {
      type: 'session',
      start: () => ({
        receive: () => {
          throw new Error('crash');
        },
      }),
    };
    const first = sessions.start<string>('s', session, { restart: 'permanent' });
    t.equal(sessions.find('s'), first);
    first.tell('crash');
    await tree.crash('fixed');
    for (const id of ['s', 'fixed']) {
      t.equal(tree.find(id), undefined);
      t.throws(() => sessions.start(id, session), { code: 'ACTOR_ID_TAKEN' }, `${id} comes back under its id`);
    }
    await pass(tree.clock, 100);
    t.ok(sessions.find('s'));
    t.not(sessions.find('s'), first);
    t.match(tree.system.snapshotOf('vello/s'), { type: 'session' });
    t.equal((tree.find('s') as unknown as LiveActor).stats.restarts, 1);
    await tree.system.stop();
  },
);
