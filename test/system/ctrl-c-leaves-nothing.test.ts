import { connect } from 'node:net';
import t from 'tap';
import { startVello, type VelloProcess } from '../fixtures/vello-process.ts';

const started = 'Ctrl-C ends everything';
const args = ['--roles', 'api'];

/** Resolves once none of its servers runs; the test's own time limit is the deadline. */
async function untilProgramsAreGone(vello: VelloProcess): Promise<void> {
  while (vello.programs().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

t.test('Ctrl-C ends Vello, its PostgreSQL and its Redis, and the next start finds all as it was', async (t) => {
  const first = await startVello(t, args);
  await first.saysSoon(started);
  t.equal(first.programs().length >= 2, true, 'PostgreSQL and Redis run');
  t.equal(await answers(first.ports.admin), true);
  first.signal('SIGINT');
  t.equal(await first.ended, 0);
  t.strictSame(first.programs(), []);
  t.equal(await answers(first.ports.admin), false);

  const second = await startVello(t, args, { home: first.home });
  await second.saysSoon(started);
  second.signal('SIGTERM');
  t.equal(await second.ended, 0);
  t.strictSame(second.programs(), []);
});

t.test('Ctrl-C while it starts ends what was started by then', async (t) => {
  const vello = await startVello(t, args);
  await vello.saysSoon('PostgreSQL started');
  vello.signal('SIGINT');
  t.equal(await vello.ended, 0);
  t.strictSame(vello.programs(), []);
});

t.test('kill -9 of Vello takes its servers along, and the next start recovers', async (t) => {
  const killed = await startVello(t, args);
  await killed.saysSoon(started);
  killed.signal('SIGKILL');
  await killed.ended;
  await untilProgramsAreGone(killed);

  const next = await startVello(t, args, { home: killed.home });
  await next.saysSoon(started);
  next.signal('SIGINT');
  t.equal(await next.ended, 0);
});
