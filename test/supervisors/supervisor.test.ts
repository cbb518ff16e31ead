import t from 'tap';
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import { NO_BACKOFF } from '../../supervisors/backoff.ts';
import { supervisor, worker, type SupervisorSpec } from '../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../supervisors/dynamic-children.ts';
import { supervisorDefinition } from '../../supervisors/supervisor.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createTree, type ChildMaker } from '../fixtures/supervision-tree.ts';

const three = (strategy: SupervisorSpec['strategy']) => (child: ChildMaker) => ({
  strategy,
  children: ['a', 'b', 'c'].map((name) => worker(name, child(name))),
});

t.test('children start in order and stop in reverse', async (t) => {
  const { system, taken } = createTree(three('oneForOne'));
  await settled();
  t.equal(taken(), '+a +b +c');
  await system.stop();
  t.equal(taken(), '-c -b -a');
});

t.test('a crash restarts whom the strategy says', async (t) => {
  for (const [strategy, expected] of [
    ['oneForOne', '-b +b'],
    ['oneForAll', '-b -c -a +a +b +c'],
    ['restForOne', '-b -c +b +c'],
  ] as const) {
    const { system, taken, crash } = createTree(three(strategy));
    await settled();
    taken();
    await crash('b');
    t.equal(taken(), expected, strategy);
    await system.stop();
  }
});

t.test('one restart too many fails upward', async (t) => {
  const { system, taken, crash } = createTree(three('oneForOne'));
  await settled();
  for (let n = 0; n < 4; n += 1) await crash('a');
  t.equal(system.resolve('vello'), undefined);
  t.match(taken(), /-a -c -b$/);
  await system.stop();
});

t.test('a nested supervisor that gives up is restarted by its own', async (t) => {
  const { system, taken, crash } = createTree((child) => ({
    children: [
      supervisor('inner', {
        strategy: 'oneForOne',
        intensity: 0,
        periodMs: 1000,
        backoff: NO_BACKOFF,
        children: [worker('a', child('a')), worker('b', child('b'))],
      }),
      worker('c', child('c')),
    ],
  }));
  await settled();
  t.equal(taken(), '+a +b +c');
  await crash('inner/a');
  t.equal(taken(), '-a -b +a +b');
  await system.stop();
});

t.test('a child that fails to start is tried again after its backoff, and holds up nobody', async (t) => {
  let tries = 0;
  const { system, clock, taken } = createTree((child) => ({
    intensity: 10,
    backoff: { baseMs: 100, maxMs: 1000, factor: 2, jitter: 0, resetAfterMs: 1000 },
    children: [
      worker('a', {
        type: 'a',
        start: () => {
          tries += 1;
          if (tries < 4) return Promise.reject(new Error('not yet'));
          return { receive: () => undefined };
        },
      }),
      worker('b', child('b')),
    ],
  }));
  await settled();
  t.equal(taken(), '+b');
  await pass(clock, 100);
  t.equal(tries, 2);
  await pass(clock, 200);
  await pass(clock, 400);
  t.equal(tries, 4);
  await system.stop();
});

t.test('dynamic children come, go, and end with their supervisor', async (t) => {
  const sessions = new DynamicChildren();
  const { system, taken } = createTree((child) => ({
    dynamic: sessions,
    children: [worker('first', child('first'))],
  }));
  await settled();
  taken();
  let live = 0;
  const session = (): ActorDefinition<string> => ({
    type: 'session',
    start() {
      live += 1;
      return { receive: () => undefined, stop: () => void (live -= 1) };
    },
  });
  for (let n = 0; n < 100; n += 1) sessions.start(`s${n}`, session);
  t.throws(() => sessions.start('s1', session), { code: 'ACTOR_ID_TAKEN' });
  await settled();
  t.equal(live, 100);
  sessions.stop('s7');
  await settled();
  t.equal(live, 99);
  t.equal(sessions.find('s7'), undefined);
  await system.stop();
  t.equal(live, 0);
  t.throws(() => sessions.start('s1', session), { code: 'ACTOR_PARENT_STOPPED' });
});

t.test('a specification with mistakes starts nothing and names them all', async (t) => {
  const wrong = {
    strategy: 'oneForMany',
    intensity: -1,
    periodMs: 0,
    color: 'red',
    children: [worker('a', { type: 'a', start: () => ({ receive: () => undefined }) }), { id: 'a', restart: 'never' }],
  } as unknown as SupervisorSpec;
  t.throws(() => supervisorDefinition(wrong, { random: () => 0 }), {
    code: 'ACTOR_SPEC_INVALID',
    message: /unknown key color.*oneForMany.*intensity.*periodMs.*start must be.*restart never.*id is taken/,
  });
});
