/** How long a desktop waits before it tries again: full jitter, so that a fleet which lost one server does not come back as one. */
import type { Clock } from '../../actors/ports/clock.ts';

const BASE_MS = 500;
const CAP_MS = 20_000;

/** Milliseconds before attempt number `attempt` (from 1). The server's wish is a floor. */
export function backoffMs(attempt: number, serverWishMs = 0, random: () => number = Math.random): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(serverWishMs + random() * ceiling);
}

/** Resolves after `delayMs`, or at once when `signal` aborts. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      timer.cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = clock.setTimer(delayMs, done);
    signal.addEventListener('abort', done);
  });
}
