/** Asks in flight: each settles once, by an answer, its deadline, or the end of whoever was to answer, whichever comes first. */
import type { Clock, Timer } from '../ports/clock.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import { AskError, type AskErrorCode } from './errors.ts';
import { LinkedList, type Link } from './linked-list.ts';
import type { Reply } from './ref.ts';
import type { AskOutcome, TypeStats } from './type-stats.ts';

export interface AskTarget {
  readonly path: string;
  readonly type: string;
  readonly stats: TypeStats;
  /** Those that wait for this target; made at the first. */
  openAsks: PendingAsks | undefined;
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
  readonly lane: Lane;
  outcome: AskOutcome | undefined;
  readonly #asks: Asks;
  readonly #inLane: Link<PendingAsk<never>>;
  readonly #ofTarget: Link<PendingAsk<never>>;
  #resolve!: (value: R) => void;
  #reject!: (error: Error) => void;

  constructor(asks: Asks, target: AskTarget, lane: Lane, startMs: number) {
    this.#asks = asks;
    this.target = target;
    this.lane = lane;
    this.startMs = startMs;
    this.promise = new Promise<R>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const self = this as unknown as PendingAsk<never>;
    this.#inLane = lane.open.push(self);
    this.#ofTarget = (target.openAsks ??= new LinkedList()).push(self);
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
    this.lane.open.remove(this.#inLane);
    this.target.openAsks?.remove(this.#ofTarget);
    this.#asks.settled(this.target, outcome, this.startMs);
    return true;
  }
}

export type PendingAsks = LinkedList<PendingAsk<never>>;

/** All asks of one duration expire in the order they were made, so one timer for the oldest serves them all. */
interface Lane {
  readonly open: PendingAsks;
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
      lane = { open: new LinkedList(), timeoutMs, timer: undefined };
      this.#lanes.set(timeoutMs, lane);
    }
    const ask = new PendingAsk<R>(this, target, lane, this.#clock.monotonicMs());
    if (lane.timer === undefined) this.#arm(lane);
    return ask;
  }

  /** Fails every ask that waits for `target`. */
  targetStopped(target: AskTarget): void {
    const open = target.openAsks;
    for (let ask = open?.oldest; ask !== undefined; ask = open?.oldest) ask.expire('ASK_TARGET_STOPPED');
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
    const oldest = lane.open.oldest;
    if (oldest === undefined) return;
    const leftMs = Math.max(0, oldest.startMs + lane.timeoutMs - this.#clock.monotonicMs());
    lane.timer = this.#clock.setTimer(leftMs, () => {
      lane.timer = undefined;
      this.#expireDue(lane);
      if (lane.open.oldest === undefined) this.#lanes.delete(lane.timeoutMs);
      else this.#arm(lane);
    });
  }

  #expireDue(lane: Lane): void {
    const dueMs = this.#clock.monotonicMs() - lane.timeoutMs;
    for (let ask = lane.open.oldest; ask !== undefined && ask.startMs <= dueMs; ask = lane.open.oldest) {
      ask.expire('ASK_TIMEOUT');
    }
  }
}
