import t from 'tap';
import { STRATEGIES, supervisor, worker } from '../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../supervisors/dynamic-children.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createTree } from '../fixtures/supervision-tree.ts';

const backoff = { baseMs: 100, maxMs: 1000, factor: 2, jitter: 0, resetAfterMs: 10_000 };

for (const [how, start] of [
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
] as const) {
  t.test(`a start that ${how} is tried again after a growing delay, until the budget is spent`, async (t) => {
    const startedAt: number[] = [];
    const { system, clock } = createTree((child) => ({
      intensity: 4,
      backoff,
      children: [
        worker(
          'a',
          child('a', {
            start: () => {
              startedAt.push(clock.monotonicMs());
              return start();
            },
          }),
        ),
      ],
    }));
    await pass(clock, 5000);
    t.strictSame(startedAt, [0, 100, 300, 700, 1500]);
    t.equal(system.resolve('vello'), undefined);
    await system.stop();
  });
}

t.test('a specification whose start function throws counts as a failed start', async (t) => {
  let calls = 0;
  const { system, find, clock } = createTree((child) => ({
    backoff,
    children: [
      worker('a', () => {
        calls += 1;
        if (calls === 1) throw new Error('not yet');
        return child('a');
      }),
    ],
  }));
  await settled();
  t.equal(find('a'), undefined);
  await pass(clock, 100);
  t.ok(find('a'));
  await system.stop();
});

t.test('the backoff starts anew after a quiet time, and not before', async (t) => {
  const { system, clock, crash, find } = createTree((child) => ({
    intensity: 10,
    periodMs: 1,
    backoff,
    children: [worker('a', child('a'))],
  }));
  const delayAfterCrash = async (): Promise<number> => {
    await crash('a');
    let waitedMs = 0;
    while (find('a') === undefined) {
      await pass(clock, 10);
      waitedMs += 10;
    }
    return waitedMs;
  };
  await settled();
  t.equal(await delayAfterCrash(), 100);
  t.equal(await delayAfterCrash(), 200);
  await pass(clock, 9_000);
  t.equal(await delayAfterCrash(), 400);
  await pass(clock, 10_000);
  t.equal(await delayAfterCrash(), 100);
  await system.stop();
});

t.test('a child that keeps failing to start never blocks its supervisor', async (t) => {
  const sessions = new DynamicChildren();
  const { system, clock, find, taken } = createTree((child) => ({
    intensity: 1000,
    backoff,
    dynamic: sessions,
    children: [
      worker('broken', child('broken', { start: () => Promise.reject(new Error('never')) })),
      worker('sound', child('sound')),
    ],
  }));
  await pass(clock, 3000);
  t.ok(find('sound'));
  sessions.start('s1', { type: 'session', start: () => ({ receive: () => undefined }) });
  await settled();
  t.ok(find('s1'));
  taken();
  await system.stop();
  t.equal(taken(), '-sound');
  t.equal(clock.pendingTimers, 0, 'no restart is left behind');
});

for (const [how, stop] of [
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['rejects', () => Promise.reject(new Error('no'))],
] as const) {
  t.test(`a stop that ${how} is logged and does not keep the others from stopping in order`, async (t) => {
    const { system, taken, log } = createTree((child) => ({
      children: [
        worker('a', child('a')),
        worker('b', { type: 'b', start: () => ({ receive: () => undefined, stop }) }),
        worker('c', child('c')),
      ],
    }));
    await settled();
    taken();
    await system.stop();
    t.equal(taken(), '-c -a');
    t.ok(log.lines.some(({ message, fields }) => message === 'actor failed to stop' && fields['actor'] === 'vello/b'));
  });
}

t.test('each child has its own deadline to stop, and one that misses it is killed', async (t) => {
  const { system, clock, taken } = createTree((child, note) => {
    const hanging = (name: string) => ({
      type: name,
      start: () => ({
        receive: () => undefined,
        stop: () => {
          note(`-${name} at ${clock.monotonicMs()}`);
          return new Promise<void>(() => undefined);
        },
      }),
    });
    return {
      children: [
        worker('a', child('a')),
        worker('b', hanging('b'), { shutdownMs: 200 }),
        worker('c', hanging('c'), { shutdownMs: 1000 }),
      ],
    };
  });
  await settled();
  taken();
  const stopped = system.stop();
  await pass(clock, 999);
  t.equal(taken(), '-c at 0');
  await pass(clock, 201);
  t.equal(taken(), '-b at 1000 -a');
  await stopped;
});

t.test('a handler in flight may finish within the deadline, and its signal tells it to', async (t) => {
  const { system, taken } = createTree((_child, note) => ({
    children: [
      worker('a', {
        type: 'a',
        start: (ctx) => ({
          receive: async () => {
            await new Promise<void>((resolve) => ctx.signal.addEventListener('abort', () => resolve()));
            note('finished');
          },
          stop: () => note('-a'),
        }),
      }),
    ],
  }));
  await settled();
  system.resolve<string>('vello/a')?.tell('work');
  await settled();
  await system.stop();
  t.equal(taken(), 'finished -a');
});

t.test('a supervisor is told to stop while a child is starting: what the start took is released', async (t) => {
  let opened = (): void => undefined;
  const { system, taken } = createTree((child, note) => ({
    children: [
      worker('a', child('a')),
      worker('b', {
        type: 'b',
        start: async () => {
          await new Promise<void>((resolve) => (opened = resolve));
          note('+b');
          return { receive: () => undefined, stop: () => note('-b') };
        },
      }),
      worker('c', child('c')),
    ],
  }));
  await settled();
  const stopped = system.stop();
  await settled();
  opened();
  await stopped;
  t.equal(taken(), '+a +b -b -a', 'and those after it never start');
});

t.test('a start that hangs past the stop deadline is killed; when it comes back late it is released', async (t) => {
  let opened = (): void => undefined;
  const { system, clock, taken } = createTree((_child, note) => ({
    children: [
      worker(
        'a',
        {
          type: 'a',
          start: async () => {
            await new Promise<void>((resolve) => (opened = resolve));
            return { receive: () => undefined, stop: () => note('released') };
          },
        },
        { shutdownMs: 500 },
      ),
    ],
  }));
  await settled();
  const stopped = system.stop();
  await pass(clock, 500);
  await stopped;
  t.equal(taken(), '');
  opened();
  await settled();
  t.equal(taken(), 'released');
});

t.test('a stop that arrives during a backoff cancels the restart', async (t) => {
  const { system, clock, crash, taken } = createTree((child) => ({ backoff, children: [worker('a', child('a'))] }));
  await settled();
  await crash('a');
  t.equal(taken(), '+a -a');
  await system.stop();
  t.equal(clock.pendingTimers, 0);
  await pass(clock, 1000);
  t.equal(taken(), '');
});

t.test('a stop that arrives while siblings restart ends every child once, in reverse', async (t) => {
  for (let turns = 0; turns < 12; turns += 1) {
    const { system, taken, find } = createTree((child) => ({
      strategy: 'oneForAll',
      children: ['a', 'b', 'c'].map((name) => worker(name, child(name))),
    }));
    await settled();
    taken();
    find('b')?.tell('crashed');
    // Wherever in the restart the stop falls, nobody is stopped twice or left.
    await settled(turns);
    await system.stop();
    const events = taken().split(' ');
    for (const name of ['a', 'b', 'c']) {
      const starts = 1 + events.filter((event) => event === `+${name}`).length;
      t.equal(events.filter((event) => event === `-${name}`).length, starts, `${name} after ${turns} turns`);
    }
    t.equal(find('a'), undefined);
  }
});

for (const strategy of STRATEGIES.filter((strategy) => strategy !== 'oneForOne')) {
  t.test(
    `${strategy}: another child that fails while the first restarts is restarted too, within the budget`,
    async (t) => {
      let failures = 1;
      const { system, crash, find, clock } = createTree((child) => ({
        strategy,
        intensity: 3,
        backoff,
        children: [
          worker('a', child('a')),
          worker('b', (): ReturnType<typeof child> => {
            const isBroken = failures > 0 && find('a') !== undefined && find('a')?.incarnation !== 2;
            if (isBroken) failures -= 1;
            return isBroken ? child('b', { start: () => Promise.reject(new Error('not now')) }) : child('b');
          }),
          worker('c', child('c')),
        ],
      }));
      await settled();
      await crash('a');
      await pass(clock, 2000);
      for (const name of ['a', 'b', 'c']) t.ok(find(name), name);
      await system.stop();
    },
  );
}

t.test(
  'a nested supervisor starts completely before its next sibling, and stops completely before its previous one',
  async (t) => {
    let opened = (): void => undefined;
    const { system, taken } = createTree((child, note) => ({
      strategy: 'restForOne',
      children: [
        worker('first', child('first')),
        supervisor('inner', {
          strategy: 'restForOne',
          intensity: 1,
          periodMs: 1000,
          children: [
            worker('a', child('a')),
            worker(
              'b',
              child('b', {
                start: async () => {
                  await new Promise<void>((resolve) => (opened = resolve));
                  note('+b');
                  return { receive: () => undefined, stop: () => note('-b') };
                },
              }),
            ),
          ],
        }),
        worker('last', child('last')),
      ],
    }));
    await settled();
    t.equal(taken(), '+first +a');
    opened();
    await settled();
    t.equal(taken(), '+b +last');
    await system.stop();
    t.equal(taken(), '-last -b -a -first');
  },
);

t.test('oneForAll: no sibling starts again before the delay of the one that failed is over', async (t) => {
  const { system, crash, taken, clock } = createTree((child) => ({
    strategy: 'oneForAll',
    backoff,
    children: ['a', 'b', 'c'].map((name) => worker(name, child(name))),
  }));
  await settled();
  taken();
  await crash('b');
  await pass(clock, 99);
  t.equal(taken(), '-b -c -a');
  await pass(clock, 1);
  t.equal(taken(), '+a +b +c');
  await system.stop();
});
