/** One tick a second over the handlers in flight, which are Stuck past their deadline. No tick runs while there is none. */
import type { Clock, Timer } from '../ports/clock.ts';

const TICK_MS = 1000;

export interface Watched {
  /** Reports a handler that is past its deadline. Called at each tick while one is in flight. */
  checkHandler(nowMs: number): void;
}

export class Watchdog {
  readonly #clock: Clock;
  readonly #inFlight = new Set<Watched>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  handlerBegan(watched: Watched): void {
    this.#inFlight.add(watched);
    if (this.#timer === undefined) this.#arm();
  }

  handlerEnded(watched: Watched): void {
    this.#inFlight.delete(watched);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(TICK_MS, () => {
      this.#timer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const watched of [...this.#inFlight]) watched.checkHandler(nowMs);
      if (this.#inFlight.size > 0) this.#arm();
    });
  }
}
