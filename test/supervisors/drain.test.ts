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
  const drain = new Drain(clock, createMemoryLog());
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
  t.equal(clock.pendingTimers, 0);
});

t.test('a failing action does not keep the process from ending, and its end says so', async (t) => {
  const log = createMemoryLog();
  const drain = new Drain(createManualClock(), log);
  drain.on('flush', 'broken', () => {
    throw new Error('disk gone');
  });
  t.strictSame(await drain.run(1000), { cutOff: ['flush: broken'] });
  t.ok(log.lines.some(({ level, fields }) => level === 'error' && fields['name'] === 'broken'));
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
