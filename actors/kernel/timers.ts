/** One actor's timers. A fired timer waits in the control lane; cancelling it withdraws it from there too. */
import type { Clock, Timer } from '../ports/clock.ts';
import type { ActorTimers } from './actor.ts';
import { WITHDRAWN, type Notice } from './notice.ts';

interface Entry {
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
  readonly #post: (notice: Notice) => void;
  readonly #entries = new Map<string, Entry>();
  #isClosed = false;

  constructor(clock: Clock, post: (notice: Notice) => void) {
    this.#clock = clock;
    this.#post = post;
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
    const entry: Entry = { message, periodMs, dueMs, timer: undefined, isWaiting: false, isCancelled: false };
    this.#entries.set(key, entry);
    this.#arm(key, entry, delayMs);
  }

  #arm(key: string, entry: Entry, delayMs: number): void {
    entry.timer = this.#clock.setTimer(delayMs, () => this.#fire(key, entry));
  }

  #fire(key: string, entry: Entry): void {
    entry.timer = undefined;
    if (entry.isCancelled) return;
    if (entry.periodMs > 0) {
      // The next tick is counted from the last due time, so that a period does not drift; missed ticks are skipped.
      const nowMs = this.#clock.monotonicMs();
      entry.dueMs = Math.max(entry.dueMs + entry.periodMs, nowMs);
      this.#arm(key, entry, entry.dueMs - nowMs);
    }
    if (entry.isWaiting) return;
    entry.isWaiting = true;
    this.#post({ attempt: 0, take: () => this.#take(key, entry) });
  }

  #take(key: string, entry: Entry): unknown {
    if (entry.isCancelled) return WITHDRAWN;
    entry.isWaiting = false;
    if (entry.periodMs === 0) this.#entries.delete(key);
    return entry.message;
  }
}
