/** Asks in flight: each settles once, by an answer, its deadline, or the end of whoever was to answer, whichever comes first. */
import type { Clock, Timer } from '../ports/clock.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import { AskError, type AskErrorCode } from './errors.ts';
import type { Reply } from './ref.ts';
import type { AskOutcome, TypeStats } from './type-stats.ts';

export interface AskTarget {
  readonly path: string;
  readonly type: string;
  readonly stats: TypeStats;
  /** The newest ask that waits for this target: the first of their list. */
  openAsks: PendingAsk<never> | undefined;
}

const OUTCOME_OF: Readonly<Record<AskErrorCode, AskOutcome>> = {
  ASK_TIMEOUT: 'timeout',
  ASK_TARGET_STOPPED: 'target_stopped',
  ASK_MAILBOX_FULL: 'mailbox_full',
};

/** Stands in two lists, that of its lane by age and that of its target, and leaves both in one step. */
export class PendingAsk<R> implements Reply<R> {
  readonly promise: Promise<R>;
  readonly target: AskTarget;
  readonly startMs: number;
  #isSettled = false;
  #isLate = false;
  readonly #asks: Asks;
  readonly #lane: Lane;
  #older: PendingAsk<never> | undefined;
  #newer: PendingAsk<never> | undefined = undefined;
  #before: PendingAsk<never> | undefined = undefined;
  #after: PendingAsk<never> | undefined;
  #resolve!: (value: R) => void;
  #reject!: (error: Error) => void;

  constructor(asks: Asks, target: AskTarget, lane: Lane, startMs: number) {
    this.#asks = asks;
    this.target = target;
    this.#lane = lane;
    this.startMs = startMs;
    this.promise = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const self = this as unknown as PendingAsk<never>;
    this.#older = lane.newest;
    if (this.#older === undefined) lane.oldest = self;
    else this.#older.#newer = self;
    lane.newest = self;
    this.#after = target.openAsks;
    if (this.#after !== undefined) this.#after.#before = self;
    target.openAsks = self;
  }

  ok(value: R): void {
    if (this.#settle('ok')) this.#resolve(value);
  }

  fail(error: Error): void {
    if (this.#settle('failed')) this.#reject(error);
  }

  expire(code: AskErrorCode): void {
    if (this.#settle(OUTCOME_OF[code])) this.#reject(new AskError(code, this.target.path));
  }

  /** True once. */
  #settle(outcome: AskOutcome): boolean {
    if (this.#isSettled) {
      if (this.#isLate) this.#asks.lateReply(this.target);
      return false;
    }
    this.#isSettled = true;
    this.#isLate = outcome === 'timeout';
    this.#leaveLists();
    this.#asks.settled(this.target, outcome, this.startMs);
    return true;
  }

  #leaveLists(): void {
    if (this.#older === undefined) this.#lane.oldest = this.#newer;
    else this.#older.#newer = this.#newer;
    if (this.#newer === undefined) this.#lane.newest = this.#older;
    else this.#newer.#older = this.#older;
    if (this.#before === undefined) this.target.openAsks = this.#after;
    else this.#before.#after = this.#after;
    if (this.#after !== undefined) this.#after.#before = this.#before;
    // A reply may be held for long after its answer: it must not hold the others.
    this.#older = this.#newer = this.#before = this.#after = undefined;
  }
}

/** All asks of one duration expire in the order they were made, so one timer for the oldest serves them all. */
interface Lane {
  oldest: PendingAsk<never> | undefined;
  newest: PendingAsk<never> | undefined;
  readonly timeoutMs: number;
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
    let lane = this.#lanes.get(timeoutMs);
    if (lane === undefined) {
      lane = { oldest: undefined, newest: undefined, timeoutMs, timer: undefined };
      this.#lanes.set(timeoutMs, lane);
    }
    const ask = new PendingAsk<R>(this, target, lane, this.#clock.monotonicMs());
    if (lane.timer === undefined) this.#arm(lane);
    return ask;
  }

  /** Fails every ask that waits for `target`. */
  targetStopped(target: AskTarget): void {
    while (target.openAsks !== undefined) target.openAsks.expire('ASK_TARGET_STOPPED');
  }

  /** Fails the ask that a lost message was to answer: the message itself, or one of its fields. It may be another actor's. */
  messageLost(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    const carried = message instanceof PendingAsk ? [message] : Object.values(message);
    for (const value of carried) if (value instanceof PendingAsk) value.expire('ASK_TARGET_STOPPED');
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

  #arm(lane: Lane): void {
    const oldest = lane.oldest;
    if (oldest === undefined) return;
    const leftMs = Math.max(0, oldest.startMs + lane.timeoutMs - this.#clock.monotonicMs());
    lane.timer = this.#clock.setTimer(leftMs, () => {
      lane.timer = undefined;
      this.#expireDue(lane);
      if (lane.oldest === undefined) this.#lanes.delete(lane.timeoutMs);
      else this.#arm(lane);
    });
  }

  #expireDue(lane: Lane): void {
    const dueMs = this.#clock.monotonicMs() - lane.timeoutMs;
    for (let ask = lane.oldest; ask !== undefined && ask.startMs <= dueMs; ask = lane.oldest) {
      ask.expire('ASK_TIMEOUT');
    }
  }
}
