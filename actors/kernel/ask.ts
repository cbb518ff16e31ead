/** Asks in flight: each settles once, by an answer, its deadline, or the end of its target, whichever comes first. */
import type { Clock, Timer } from '../ports/clock.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import { AskError, type AskErrorCode } from './errors.ts';
import type { Reply } from './ref.ts';
import { Ring } from './ring.ts';
import type { AskOutcome, TypeStats } from './type-stats.ts';

export interface AskTarget {
  readonly path: string;
  readonly type: string;
  readonly stats: TypeStats;
  /** Asks that wait for this target: lets its end skip the search when there are none. */
  openAsks: number;
}

const OUTCOME_OF: Readonly<Record<AskErrorCode, AskOutcome>> = {
  ASK_TIMEOUT: 'timeout',
  ASK_TARGET_STOPPED: 'target_stopped',
  ASK_MAILBOX_FULL: 'mailbox_full',
};

class PendingAsk<R> implements Reply<R> {
  readonly promise: Promise<R>;
  readonly target: AskTarget;
  readonly startMs: number;
  outcome: AskOutcome | undefined;
  readonly #asks: Asks;
  #resolve!: (value: R) => void;
  #reject!: (error: Error) => void;

  constructor(asks: Asks, target: AskTarget, startMs: number) {
    this.#asks = asks;
    this.target = target;
    this.startMs = startMs;
    this.promise = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    target.openAsks += 1;
  }

  ok(value: R): void {
    if (this.settle('ok')) this.#resolve(value);
  }

  fail(error: Error): void {
    if (this.settle('failed')) this.#reject(error);
  }

  expire(code: AskErrorCode): void {
    if (this.settle(OUTCOME_OF[code])) this.#reject(new AskError(code, this.target.path));
  }

  private settle(outcome: AskOutcome): boolean {
    if (this.outcome !== undefined) {
      if (this.outcome === 'timeout') this.#asks.lateReply(this.target);
      return false;
    }
    this.outcome = outcome;
    this.target.openAsks -= 1;
    this.#asks.settled(this.target, outcome, this.startMs);
    return true;
  }
}

/** All asks of one duration expire in the order they were made, so one timer for the oldest serves them all. */
interface Lane {
  readonly waiting: Ring<PendingAsk<never>>;
  timer: Timer | undefined;
}

export class Asks {
  readonly #clock: Clock;
  readonly #deadLetters: DeadLetterOffice;
  readonly #lanes = new Map<number, Lane>();

  constructor(clock: Clock, deadLetters: DeadLetterOffice) {
    this.#clock = clock;
    this.#deadLetters = deadLetters;
  }

  open<R>(target: AskTarget, timeoutMs: number): PendingAsk<R> {
    const ask = new PendingAsk<R>(this, target, this.#clock.monotonicMs());
    let lane = this.#lanes.get(timeoutMs);
    if (lane === undefined) this.#lanes.set(timeoutMs, (lane = { waiting: new Ring(), timer: undefined }));
    dropSettled(lane);
    lane.waiting.push(ask as unknown as PendingAsk<never>);
    this.#arm(lane, timeoutMs);
    return ask;
  }

  /** Fails every ask that waits for `target`. */
  targetStopped(target: AskTarget): void {
    if (target.openAsks === 0) return;
    for (const lane of this.#lanes.values()) {
      for (const ask of lane.waiting.toArray()) if (ask.target === target) ask.expire('ASK_TARGET_STOPPED');
    }
  }

  settled(target: AskTarget, outcome: AskOutcome, startMs: number): void {
    target.stats.asks[outcome] += 1;
    target.stats.askTime.add(this.#clock.monotonicMs() - startMs, 1);
  }

  lateReply(target: AskTarget): void {
    this.#deadLetters.record('expired_ask', target.path, target.stats, undefined);
  }

  close(): void {
    for (const lane of this.#lanes.values()) lane.timer?.cancel();
    this.#lanes.clear();
  }

  #arm(lane: Lane, timeoutMs: number): void {
    const oldest = lane.waiting.peek();
    if (lane.timer !== undefined || oldest === undefined) return;
    const leftMs = Math.max(0, oldest.startMs + timeoutMs - this.#clock.monotonicMs());
    lane.timer = this.#clock.setTimer(leftMs, () => {
      lane.timer = undefined;
      this.#expireDue(lane, timeoutMs);
      if (lane.waiting.size === 0) this.#lanes.delete(timeoutMs);
      else this.#arm(lane, timeoutMs);
    });
  }

  #expireDue(lane: Lane, timeoutMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    for (let ask = lane.waiting.peek(); ask !== undefined; ask = lane.waiting.peek()) {
      if (ask.outcome === undefined && ask.startMs + timeoutMs > nowMs) return;
      lane.waiting.shift();
      ask.expire('ASK_TIMEOUT');
    }
  }
}

/** Answered asks leave from the front as new ones come, so that a lane holds about what is really open. */
function dropSettled(lane: Lane): void {
  while (lane.waiting.peek()?.outcome !== undefined) lane.waiting.shift();
}
