import t from 'tap';
import { NO_BACKOFF } from '../../../supervisors/backoff.ts';
import { supervisor, worker } from '../../../supervisors/child-spec.ts';
import { DynamicChildren } from '../../../supervisors/dynamic-children.ts';
import { supervisorDefinition } from '../../../supervisors/supervisor.ts';
import { drawTree } from '../../../scripts/operator/actors-tree.ts';
import { actor, createTestSystem } from '../../fixtures/actor-system.ts';
import { pass, settled } from '../../fixtures/settled.ts';

t.test('the drawing shows every supervisor, what waits for its restart, and many siblings as one line', async (t) => {
  const { system, clock } = createTestSystem();
  const sessions = new DynamicChildren();
  const quiet = actor<string>(() => undefined, { type: 'quiet', describe: () => ({ port: 8080 }) });
  const failing = { type: 'failing', start: () => Promise.reject(new Error('not yet')) };
  const busy = actor<string>(() => new Promise(() => undefined), { type: 'busy' });
  system.spawn(
    'vello',
    supervisorDefinition(
      {
        strategy: 'oneForOne',
        intensity: 3,
        periodMs: 60_000,
        children: [
          worker('listener', quiet),
          worker('database', failing),
          worker('worker', busy),
          supervisor('sessions', {
            strategy: 'oneForOne',
            intensity: 5,
            periodMs: 30_000,
            backoff: NO_BACKOFF,
            children: [],
            dynamic: sessions,
          }),
        ],
      },
      { random: () => 0 },
    ),
  );
  await settled();
  for (let n = 0; n < 30; n += 1)
    sessions.start(
      `device-${n}`,
      actor<string>(() => new Promise(() => undefined), { type: 'session' }),
    );
  for (let n = 0; n < 3; n += 1) sessions.find('device-7')?.tell('message');
  system.resolve<string>('vello/worker')?.tell('job');
  await pass(clock, 60);
  const drawing = drawTree(system.snapshot()).split('\n');
  t.strictSame(drawing, [
    'up 60 ms, 34 actors, 0 dead letters',
    '',
    '● vello                                     oneForOne 1/3 in 60 s',
    '├─ ● listener                               port=8080',
    '├─ ↻ database                               backoff  again in 40 ms',
    '├─ ● worker                                 string for 60 ms',
    '└─ ● sessions                               oneForOne 0/5 in 30 s',
    '   └─ 30 × session                          deepest mailbox 2 (device-7)  longest at work 60 ms (device-7)',
  ]);
  await pass(clock, 100);
  t.match(drawTree(system.snapshot()), /◐ worker +busy {2}string for 160 ms/);
  void system.stop();
  await pass(clock, 5000);
});
