/** A timer that throws ends nothing. */
import t from 'tap';
import { createManualClock } from '../../fixtures/manual-clock.ts';
import { createMemoryLog } from '../../fixtures/silent.ts';
import { guardClock } from '../../../transports/process/system-clock.ts';

t.test('what a timer throws is logged, and the timers after it fire', async (t) => {
  const manual = createManualClock();
  const log = createMemoryLog();
  const clock = guardClock(manual, log);
  let fired = 0;
  clock.setTimer(10, () => {
    throw new Error('planted');
  });
  clock.setTimer(10, () => (fired += 1));
  manual.advance(10);
  t.equal(fired, 1);
  t.match(log.lines, [{ level: 'error', message: 'a timer failed', fields: { error: { message: 'planted' } } }]);
});
