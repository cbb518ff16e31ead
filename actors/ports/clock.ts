/** Time as the actors see it: the only way to read it or to wait, so that a test can hold it still. */

export interface Timer {
  /** Stops the timer. Cancelling a fired or cancelled timer does nothing. */
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time in unix milliseconds. May jump; never used to measure durations. */
  now(): number;
  /** Milliseconds from an arbitrary start. Never goes backwards. */
  monotonicMs(): number;
  /** Calls `fire` once, `delayMs` from now. A pending timer does not keep the process alive. */
  setTimer(delayMs: number, fire: () => void): Timer;
}
