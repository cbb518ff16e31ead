/** What ends a tree: signals, our own code, or another process that goes on in its place. */
import type { RootOptions, StopCause } from '../supervisors/root.ts';
import { onStopSignals } from '../transports/process/signals.ts';

type StopHandlers = Parameters<RootOptions['onStop']>[0];

export interface Stopper {
  readonly attach: RootOptions['onStop'];
  /** Ends the tree in order, the first time; as SIGTERM would where nothing else is said. One that is still to come is ended when it does. */
  stop(cause?: StopCause): void;
}

export function createStopper(): Stopper {
  let handlers: StopHandlers | undefined;
  let cause: StopCause | undefined;
  const stop = (given: StopCause = 'SIGTERM') => {
    if (cause !== undefined) return;
    cause = given;
    handlers?.orderly(given);
  };
  return {
    attach(given) {
      handlers = given;
      const detach = onStopSignals(process, { orderly: stop, atOnce: (signal) => given.atOnce(signal) });
      if (cause !== undefined) given.orderly(cause);
      return detach;
    },
    stop,
  };
}
