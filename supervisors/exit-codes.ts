/** What the exit code of a Vello process says; the same table is in `docs/operations.md`. */
import type { StopSignal } from '../transports/process/signals.ts';

export const EXIT = {
  /** Stopped as asked; everything under way was finished. */
  clean: 0,
  /** It could not be kept running: the root supervisor used up its restarts, or the start failed. */
  failed: 1,
  /** The command line or a setting is wrong. */
  usage: 2,
  /** Stopped as asked, but something was cut off at the deadline. */
  cutOff: 3,
} as const;

/** A second signal ended it at once: 128 plus the signal's number, as shells say it. */
export const exitCodeOf = (signal: StopSignal): number => (signal === 'SIGINT' ? 130 : 143);
