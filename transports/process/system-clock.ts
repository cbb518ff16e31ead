/** The real clock: wall time, monotonic time and timers of this process. */
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, fire) => {
    // Node fires at once for a delay that does not fit 32 bits; a timer of 24 days is as good as never.
    const timer = setTimeout(fire, Math.min(delayMs, 0x7fffffff));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** A clock whose timers cannot end the process: what one throws is logged with its stack, and costs only what it was set for. */
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
