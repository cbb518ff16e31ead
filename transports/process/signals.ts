/** SIGTERM and SIGINT: the first asks for an orderly end, the second for one at once. What an end is, others decide. */

export type StopSignal = 'SIGTERM' | 'SIGINT';

export interface StopSignalHandlers {
  orderly(signal: StopSignal): void;
  atOnce(signal: StopSignal): void;
}

/** What signals are listened to on; `process` outside tests. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown;
  off(signal: StopSignal, listener: () => void): unknown;
}

/** Also keeps the process alive, since timers of the Clock do not. Returns the way to stop both. */
export function onStopSignals(source: SignalSource, handlers: StopSignalHandlers): () => void {
  let isStopping = false;
  const listenerOf = (signal: StopSignal) => () => {
    if (isStopping) return handlers.atOnce(signal);
    isStopping = true;
    handlers.orderly(signal);
  };
  const onTerm = listenerOf('SIGTERM');
  const onInt = listenerOf('SIGINT');
  source.on('SIGTERM', onTerm);
  source.on('SIGINT', onInt);
  const alive = setInterval(() => undefined, 0x7fffffff);
  return () => {
    source.off('SIGTERM', onTerm);
    source.off('SIGINT', onInt);
    clearInterval(alive);
  };
}
