import t from 'tap';
import { DRAIN_PHASES } from '../../actors/ports/drain.ts';
import { Drain } from '../../supervisors/drain.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { pass, settled } from '../fixtures/settled.ts';
import { createMemoryLog } from '../fixtures/silent.ts';

t.test(
  'the phases run in their order, whatever the order of registration, and the actions of one phase together',
  async (t) => {
    const drain = new Drain(createManualClock(), createMemoryLog());
    const events: string[] = [];
    for (const phase of [...DRAIN_PHASES].reverse()) {
      for (const name of ['one', 'two']) {
        drain.on(phase, name, async () => {
          events.push(`${phase} ${name}`);
          await settled(1);
          events.push(`${phase} ${name} done`);
        });
      }
    }
    t.strictSame(await drain.run(1000), { cutOff: [] });
    t.strictSame(
      events,
      DRAIN_PHASES.flatMap((phase) => [`${phase} one`, `${phase} two`, `${phase} one done`, `${phase} two done`]),
    );
  },
);

t.test('the deadline cuts off what hangs, and the later phases still get their chance', async (t) => {
  const clock = createManualClock();
  const log = createMemoryLog();
  const drain = new Drain(clock, log);
  const events: string[] = [];
  drain.on('finish', 'stuck request', (signal) => {
    signal.addEventListener('abort', () => events.push('told'));
    return new Promise(() => undefined);
  });
  drain.on('flush', 'events', (signal) => void events.push(`flushed, aborted: ${signal.aborted}`));
  const result = drain.run(1000);
  await pass(clock, 999);
  t.strictSame(events, []);
  await pass(clock, 1);
  t.strictSame(await result, { cutOff: ['finish: stuck request'] });
  t.strictSame(events, ['told', 'flushed, aborted: true']);
  t.strictSame(
    log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields),
    [{ phase: 'finish', name: 'stuck request' }],
  );
  t.equal(clock.pendingTimers, 0);
});

t.test('a failing action does not keep the process from ending, and its end says so', async (t) => {
  const log = createMemoryLog();
  const drain = new Drain(createManualClock(), log);
  drain.on('flush', 'broken', () => {
    throw new Error('disk gone');
  });
  t.strictSame(await drain.run(1000), { cutOff: ['flush: broken'] });
  t.match(
    log.lines.filter(({ level }) => level !== 'info'),
    [{ level: 'error', message: 'a drain action failed', fields: { name: 'broken' } }],
    'and that no deadline was to blame',
  );
});

t.test('a drain runs once, and an action taken out does not run', async (t) => {
  const drain = new Drain(createManualClock(), createMemoryLog());
  let runs = 0;
  drain.on('flush', 'counted', () => void (runs += 1));
  drain.on('flush', 'taken out', () => void t.fail('it was taken out'))();
  t.notOk(drain.isDraining);
  await Promise.all([drain.run(1000), drain.run(1000)]);
  t.equal(runs, 1);
  t.ok(drain.isDraining);
});

t.test('the log says how long each phase took', async (t) => {
  const clock = createManualClock();
  clock.advance(5000);
  const log = createMemoryLog();
  const drain = new Drain(clock, log);
  drain.on('finish', 'request', () => new Promise((resolve) => clock.setTimer(300, () => resolve())));
  const result = drain.run(1000);
  await pass(clock, 300);
  await result;
  t.strictSame(
    log.lines.map(({ message, fields }) => ({ message, ...fields })),
    DRAIN_PHASES.map((phase) => ({ message: 'drain phase done', phase, elapsedMs: phase === 'finish' ? 300 : 0 })),
  );
});

t.test('whether another process goes on is known to every action, and settled by who asked first', async (t) => {
  const drain = new Drain(createManualClock(), createMemoryLog());
  const seen: boolean[] = [];
  drain.on('notReady', 'one', () => void seen.push(drain.handsOver));
  t.equal(drain.handsOver, false);
  const first = drain.run(1000, true);
  await Promise.all([first, drain.run(1000)]);
  t.strictSame(seen, [true]);
  const plain = new Drain(createManualClock(), createMemoryLog());
  await Promise.all([plain.run(1000), plain.run(1000, true)]);
  t.equal(plain.handsOver, false);
});
