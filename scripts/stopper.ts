/** What ends a tree: signals, our own code, or another process that goes on in its place. */
import type { RootOptions, StopCause } from '../supervisors/root.ts';
import { onStopSignals } from '../transports/process/signals.ts';

type StopHandlers = Parameters<RootOptions['onStop']>[0];

export interface Stopper {
  readonly attach: RootOptions['onStop'];
  /** Ends the tree in order, the first time; as SIGTERM would where nothing else is said. */
  stop(cause?: StopCause): void;
}

export function createStopper(): Stopper {
  let handlers: StopHandlers | undefined;
  let isStopping = false;
  const stop = (cause: StopCause = 'SIGTERM') => {
    if (!isStopping) handlers?.orderly(cause);
    isStopping = true;
  };
  return {
    attach(given) {
      handlers = given;
      return onStopSignals(process, { orderly: stop, atOnce: (signal) => given.atOnce(signal) });
    },
    stop,
  };
}
