/** A clock whose timers cannot end the process: what one throws is logged with its stack, and costs only what it was set for. */
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';

export function guardClock(clock: Clock, log: Log): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, fire) =>
      clock.setTimer(delayMs, () => {
        try {
          fire();
        } catch (error) {
          log.error('a timer failed', { error });
        }
      }),
  };
}
