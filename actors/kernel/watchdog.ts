/**
 * One tick a second over what may need attention: handlers in flight (Stuck past their deadline) and actors that passivate when idle.
 * No tick runs while there is neither.
 */
import type { Clock, Timer } from '../ports/clock.ts';

const TICK_MS = 1000;

export interface Watched {
  /** Reports, and ends the incarnation where its definition says so. Called at each tick while a handler is in flight. */
  checkHandler(nowMs: number): void;
}

export interface Idler {
  /** Stops itself when it has been idle long enough. */
  checkIdle(nowMs: number): void;
}

export class Watchdog {
  readonly #clock: Clock;
  readonly #inFlight = new Set<Watched>();
  readonly #idlers = new Set<Idler>();
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

  addIdler(idler: Idler): void {
    this.#idlers.add(idler);
    if (this.#timer === undefined) this.#arm();
  }

  /** For an actor that ended. */
  forget(actor: Watched & Idler): void {
    this.#inFlight.delete(actor);
    this.#idlers.delete(actor);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#inFlight.clear();
    this.#idlers.clear();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(TICK_MS, () => {
      this.#timer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const watched of [...this.#inFlight]) watched.checkHandler(nowMs);
      for (const idler of [...this.#idlers]) idler.checkIdle(nowMs);
      if (this.#inFlight.size + this.#idlers.size > 0) this.#arm();
    });
  }
}
