import t from 'tap';
import { RESTART_TYPES, STRATEGIES, worker, type RestartType, type Strategy } from '../../supervisors/child-spec.ts';
import { settled } from '../fixtures/settled.ts';
import { createTree, type EndingKind } from '../fixtures/supervision-tree.ts';

/** Written out, so that the table is the specification: whether a child that ended so comes back. */
const COMES_BACK: Readonly<Record<RestartType, Readonly<Record<EndingKind, boolean>>>> = {
  permanent: { normal: true, shutdown: true, killed: true, crashed: true },
  transient: { normal: false, shutdown: false, killed: true, crashed: true },
  temporary: { normal: false, shutdown: false, killed: false, crashed: false },
};
/** What happens around the middle one of three when it comes back. */
const AROUND: Readonly<Record<Strategy, string>> = {
  oneForOne: '+b',
  oneForAll: '-c -a +a +b +c',
  restForOne: '-c +b +c',
};

for (const strategy of STRATEGIES) {
  for (const restart of RESTART_TYPES) {
    for (const ending of ['normal', 'shutdown', 'killed', 'crashed'] as const) {
      const comesBack = COMES_BACK[restart][ending];
      const title = `${strategy}: a ${restart} child that ends as ${ending} ${comesBack ? 'comes back' : 'stays away'}`;
      t.test(title, async (t) => {
        const { system, end, taken, find } = createTree((child) => ({
          strategy,
          children: [worker('a', child('a')), worker('b', child('b'), { restart }), worker('c', child('c'))],
        }));
        await settled();
        t.equal(taken(), '+a +b +c');
        const before = find('b')?.incarnation ?? 0;
        await end('b', ending);
        t.equal(taken(), comesBack ? `-b ${AROUND[strategy]}` : '-b');
        t.equal(find('b') !== undefined, comesBack);
        if (comesBack) t.ok((find('b')?.incarnation ?? 0) > before, 'as a new incarnation');
        await system.stop();
        t.equal(taken(), comesBack ? '-c -b -a' : '-c -a');
      });
    }
  }
}

for (const strategy of STRATEGIES) {
  for (const restart of RESTART_TYPES) {
    const comesBack = restart !== 'temporary';
    const title = `${strategy}: a ${restart} child whose start fails is ${comesBack ? 'tried again' : 'given up'}`;
    t.test(title, async (t) => {
      let starts = 0;
      const { system, taken, find } = createTree((child, note) => ({
        strategy,
        children: [
          worker('a', child('a')),
          worker(
            'b',
            child('b', {
              start: () => {
                starts += 1;
                note(`b${starts}`);
                if (starts < 3) return Promise.reject(new Error('not yet'));
                return { receive: () => undefined };
              },
            }),
            { restart },
          ),
          worker('c', child('c')),
        ],
      }));
      await settled();
      const events = taken();
      t.equal(starts, comesBack ? 3 : 1);
      t.ok(find('c'), 'and those after it run');
      if (strategy === 'restForOne') t.equal(events, comesBack ? '+a b1 b2 b3 +c' : '+a b1 +c');
      await system.stop();
    });
  }
}

for (const strategy of STRATEGIES) {
  t.test(`${strategy}: temporary bystanders that must stop are not started again`, async (t) => {
    const { system, crash, taken } = createTree((child) => ({
      strategy,
      children: [
        worker('a', child('a'), { restart: 'temporary' }),
        worker('b', child('b')),
        worker('c', child('c'), { restart: 'temporary' }),
      ],
    }));
    await settled();
    taken();
    await crash('b');
    t.equal(taken(), { oneForOne: '-b +b', oneForAll: '-b -c -a +b', restForOne: '-b -c +b' }[strategy]);
    await system.stop();
  });

  t.test(`${strategy}: a transient bystander that had ended starts again where it is concerned`, async (t) => {
    const { system, crash, end, taken } = createTree((child) => ({
      strategy,
      children: [worker('a', child('a')), worker('b', child('b')), worker('c', child('c'), { restart: 'transient' })],
    }));
    await settled();
    await end('c', 'normal');
    taken();
    await crash('b');
    t.equal(taken(), { oneForOne: '-b +b', oneForAll: '-b -a +a +b +c', restForOne: '-b +b +c' }[strategy]);
    await system.stop();
  });
}
