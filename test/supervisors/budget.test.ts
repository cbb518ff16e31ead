import t from 'tap';
import { NO_BACKOFF } from '../../supervisors/backoff.ts';
import { STRATEGIES, supervisor, worker, type SupervisorSpec } from '../../supervisors/child-spec.ts';
import { RestartBudget } from '../../supervisors/restart-budget.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createTree } from '../fixtures/supervision-tree.ts';

t.test('a budget allows its intensity within its period, and a slower pace for ever', async (t) => {
  const budget = new RestartBudget(3, 1000);
  t.strictSame(
    [0, 0, 0, 0].map((at) => budget.spend(at)),
    [true, true, true, false],
  );
  const slow = new RestartBudget(3, 1000);
  for (let at = 0; at < 100_000; at += 334) t.ok(slow.spend(at));
  t.equal(new RestartBudget(0, 1000).spend(0), false);
});

t.test('a budget counts what lies within the period, its edges included', async (t) => {
  const budget = new RestartBudget(1, 1000);
  t.ok(budget.spend(0));
  t.equal(budget.used(1000), 1);
  t.equal(budget.used(1001), 0);
});

for (const strategy of STRATEGIES) {
  t.test(
    `${strategy}: one restart more than the intensity stops all children in reverse and fails upward`,
    async (t) => {
      const { system, crash, taken, log } = createTree((child) => ({
        strategy,
        intensity: 2,
        children: ['a', 'b', 'c'].map((name) => worker(name, child(name))),
      }));
      await settled();
      await crash('b');
      await crash('b');
      taken();
      await crash('b');
      t.equal(taken(), '-b -c -a');
      t.equal(system.resolve('vello'), undefined);
      const reports = log.lines.filter(({ fields }) => fields['actor'] === 'vello');
      t.match(reports, [
        {
          message: 'actor crashed',
          fields: { type: 'supervisor', error: { code: 'RESTART_BUDGET_EXHAUSTED', cause: { message: 'b crashed' } } },
        },
      ]);
      await system.stop();
    },
  );

  t.test(`${strategy}: restarts spread over more than the period never exhaust the budget`, async (t) => {
    const { system, crash, clock } = createTree((child) => ({
      strategy,
      intensity: 1,
      periodMs: 1000,
      children: ['a', 'b'].map((name) => worker(name, child(name))),
    }));
    await settled();
    for (let n = 0; n < 10; n += 1) {
      await crash('a');
      await pass(clock, 1001);
    }
    t.ok(system.resolve('vello/a'));
    await system.stop();
  });
}

const failing = (level: number, child: SupervisorSpec['children'][number]): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 1,
  periodMs: 10_000,
  backoff: NO_BACKOFF,
  children: level === 0 ? [child] : [supervisor('inner', failing(level - 1, child))],
});

t.test('budgets multiply over levels: each level tries its own restarts before the next one hears of it', async (t) => {
  for (const level of [0, 1, 2]) {
    let starts = 0;
    const { system } = createTree((child) =>
      failing(
        level,
        worker(
          'leaf',
          child('leaf', {
            start: () => {
              starts += 1;
              return Promise.reject(new Error('never'));
            },
          }),
        ),
      ),
    );
    for (let n = 0; n < 10; n += 1) await settled();
    t.equal(starts, 2 ** (level + 1), `${level + 1} levels`);
    t.equal(system.resolve('vello'), undefined);
    await system.stop();
  }
});

t.test('a supervisor that gave up comes back with a fresh budget and all its children', async (t) => {
  const { system, crash, taken } = createTree((child) => ({
    children: [
      supervisor('inner', {
        strategy: 'oneForOne',
        intensity: 1,
        periodMs: 10_000,
        backoff: NO_BACKOFF,
        children: [worker('a', child('a')), worker('b', child('b'))],
      }),
    ],
  }));
  await settled();
  await crash('inner/b');
  taken();
  await crash('inner/b');
  t.equal(taken(), '-b -a +a +b');
  await crash('inner/b');
  t.equal(taken(), '-b +b', 'one restart is allowed again');
  await system.stop();
});

t.test('siblings that must restart with a failed one, and fail at the same moment, count once', async (t) => {
  const { system, find, taken } = createTree((child) => ({
    strategy: 'oneForAll',
    intensity: 1,
    children: ['a', 'b', 'c'].map((name) => worker(name, child(name))),
  }));
  await settled();
  taken();
  for (const name of ['a', 'b', 'c']) find(name)?.tell('crashed');
  await settled();
  t.equal(taken(), '-a -b -c +a +b +c');
  await system.stop();
});
