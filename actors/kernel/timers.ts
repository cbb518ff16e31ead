/**
 * One actor's timers, and the lane of those that have fired: it goes before the mailbox and drops nothing, yet stays
 * small, since a timer that waits in it does not wait there twice.
 */
import type { Clock, Timer } from '../ports/clock.ts';
import type { ActorTimers } from './actor.ts';
import { Ring } from './ring.ts';

interface Entry {
  readonly key: string;
  readonly message: unknown;
  /** 0 for a single shot. */
  readonly periodMs: number;
  dueMs: number;
  timer: Timer | undefined;
  /** Fired and not yet handled: a slow actor gets one tick, not a heap of them. */
  isWaiting: boolean;
  isCancelled: boolean;
}

export class CellTimers implements ActorTimers<unknown> {
  readonly #clock: Clock;
  readonly #onFired: () => void;
  readonly #entries = new Map<string, Entry>();
  readonly #fired = new Ring<Entry>();
  #waiting = 0;
  #isClosed = false;

  constructor(clock: Clock, onFired: () => void) {
    this.#clock = clock;
    this.#onFired = onFired;
  }

  once(key: string, delayMs: number, message: unknown): void {
    this.#set(key, delayMs, 0, message);
  }

  every(key: string, periodMs: number, message: unknown): void {
    if (!(periodMs > 0)) throw new RangeError(`timer ${key}: periodMs must be above zero`);
    this.#set(key, periodMs, periodMs, message);
  }

  cancel(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.isCancelled = true;
    entry.timer?.cancel();
    this.#entries.delete(key);
    if (entry.isWaiting) this.#waiting -= 1;
  }

  /** How many have fired and wait to be handled. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The message that waits longest, in a box because it may be anything; undefined when none does. */
  take(): { readonly message: unknown } | undefined {
    let entry = this.#fired.shift();
    while (entry?.isCancelled === true) entry = this.#fired.shift();
    if (entry === undefined) return undefined;
    this.#waiting -= 1;
    entry.isWaiting = false;
    if (entry.periodMs === 0) this.#entries.delete(entry.key);
    return entry;
  }

  /** For good: an incarnation that has ended, or is about to, handles no message any more. */
  close(): void {
    this.#isClosed = true;
    for (const key of [...this.#entries.keys()]) this.cancel(key);
  }

  #set(key: string, delayMs: number, periodMs: number, message: unknown): void {
    this.cancel(key);
    if (this.#isClosed) return;
    const dueMs = this.#clock.monotonicMs() + delayMs;
    const entry: Entry = { key, message, periodMs, dueMs, timer: undefined, isWaiting: false, isCancelled: false };
    this.#entries.set(key, entry);
    this.#arm(entry, delayMs);
  }

  #arm(entry: Entry, delayMs: number): void {
    entry.timer = this.#clock.setTimer(delayMs, () => this.#fire(entry));
  }

  #fire(entry: Entry): void {
    entry.timer = undefined;
    if (entry.isCancelled) return;
    if (entry.periodMs > 0) {
      // The next tick is counted from the last due time, so that a period does not drift; missed ticks are skipped.
      const nowMs = this.#clock.monotonicMs();
      entry.dueMs = Math.max(entry.dueMs + entry.periodMs, nowMs);
      this.#arm(entry, entry.dueMs - nowMs);
    }
    if (entry.isWaiting) return;
    entry.isWaiting = true;
    this.#waiting += 1;
    this.#fired.push(entry);
    this.#onFired();
  }
}
