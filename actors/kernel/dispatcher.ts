/**
 * The scheduler: one nact actor whose every message is a wake-up that gives the ready actors their turns.
 * Decides who runs and for how long in total; what happens in a turn is the actor's own.
 */
import { dispatch, spawn, start, stop } from 'nact';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { Ring } from './ring.ts';

/** Whatever can be given a turn. */
export interface Runnable {
  /** Runs once; returns monotonic milliseconds at its end, so that the clock is read once between two turns. */
  turn(startMs: number): number;
  /** The turn itself threw: a defect of the kernel, which must not take the other actors down. */
  turnFailed(error: unknown): void;
}

/** A wake-up ends after this and continues in the next turn of the event loop: sockets and timers get theirs. */
const WAKE_MS = 4;
/** And after this many turns, so that a clock that stands still (in tests) cannot hold the event loop. */
const WAKE_TURNS = 8192;
/** Handlers that await only what is already there come back within a few microtasks; waiting for them saves an event-loop turn. */
const MICROTASKS_FOLLOWED = 4;

const WAKE = Symbol('wake');

const FOLLOWED = Promise.resolve();

/** `onCrash` can only follow a defect in `wake` itself; nact's default would print the message and go on. */
function startDispatcher(wake: () => void | Promise<void>) {
  const system = start();
  const actor = spawn(system, wake, 'dispatcher', { onCrash: (_message, _error, ctx) => ctx.stop });
  return {
    wake: () => dispatch(actor, WAKE),
    close: () => {
      stop(actor);
      stop(system);
    },
  };
}

export class Dispatcher {
  /** Monotonic milliseconds at the latest boundary between turns; fresh while a wake-up is due or running. */
  nowMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #ready = new Ring<Runnable>();
  readonly #nact: ReturnType<typeof startDispatcher>;
  /** From the moment a wake-up is asked for until one finds nothing left to do. */
  #awake = false;
  #turnsLeft = 0;
  /** Handlers that returned a promise in this wake-up. */
  #suspensions = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.nowMs = clock.monotonicMs();
    this.#nact = startDispatcher(() => this.#wake());
  }

  /** True when no actor is ready and none was promised a turn. */
  get isIdle(): boolean {
    return !this.#awake;
  }

  enqueue(runnable: Runnable): void {
    this.#ready.push(runnable);
    if (this.#awake) return;
    this.#awake = true;
    this.nowMs = this.#clock.monotonicMs();
    this.#nact.wake();
  }

  /** Monotonic milliseconds now, as exact as the boundaries between turns while actors run. */
  readMs(): number {
    if (!this.#awake) this.nowMs = this.#clock.monotonicMs();
    return this.nowMs;
  }

  noteSuspension(): void {
    this.#suspensions += 1;
  }

  close(): void {
    this.#nact.close();
  }

  #wake(): void | Promise<void> {
    this.#suspensions = 0;
    this.#turnsLeft = WAKE_TURNS;
    this.nowMs = this.#clock.monotonicMs();
    const endMs = this.nowMs + WAKE_MS;
    const finished = this.#drain(endMs);
    if (finished && this.#suspensions > 0) return this.#followMicrotasks(endMs);
    this.#sleepOrContinue();
  }

  /** Gives turns until nobody is ready (true) or the wake-up has lasted long enough (false). */
  #drain(endMs: number): boolean {
    for (; this.#turnsLeft > 0; this.#turnsLeft -= 1) {
      const next = this.#ready.shift();
      if (next === undefined) return true;
      try {
        this.nowMs = next.turn(this.nowMs);
      } catch (error) {
        this.#log.error('an actor turn failed inside the kernel', { error });
        next.turnFailed(error);
      }
      if (this.nowMs >= endMs) return false;
    }
    return false;
  }

  async #followMicrotasks(endMs: number): Promise<void> {
    for (let quiet = 0; quiet < MICROTASKS_FOLLOWED; quiet += 1) {
      await FOLLOWED;
      if (this.#ready.size === 0) continue;
      quiet = 0;
      if (!this.#drain(endMs)) break;
    }
    this.#sleepOrContinue();
  }

  #sleepOrContinue(): void {
    if (this.#ready.size > 0) this.#nact.wake();
    else this.#awake = false;
  }
}
