/** What is measured of the actors of one type: plain numbers, written on the hot path, read only when somebody looks. */
import type { DeadLetterReason } from './dead-letters.ts';
import type { ExitReason } from './exit-reason.ts';

/** Upper bounds in milliseconds; they match the buckets of `config/metrics.ts`, and one more bucket holds what is above. */
export const BUCKETS_MS = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;

export class DurationHistogram {
  readonly counts = new Float64Array(BUCKETS_MS.length + 1);
  sumMs = 0;

  /** Adds `times` observations that took `totalMs` together, as equals. */
  add(totalMs: number, times: number): void {
    const eachMs = totalMs / times;
    this.sumMs += totalMs;
    let bucket = 0;
    while (bucket < BUCKETS_MS.length && eachMs > (BUCKETS_MS[bucket] as number)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] as number) + times;
  }

  addToFirst(totalMs: number, times: number): void {
    this.counts[0] = (this.counts[0] ?? 0) + times;
    this.sumMs += totalMs;
  }

  /** The upper bound of the bucket that holds the given quantile; 0 before the first observation. */
  quantileMs(quantile: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS_MS.length; bucket += 1) {
      seen += this.counts[bucket] as number;
      if (total > 0 && seen >= total * quantile) return BUCKETS_MS[bucket] as number;
    }
    return total > 0 ? Infinity : 0;
  }
}

/** Where `TypeStats.quick` keeps what. */
export const QUICK = { waits: 0, waitMs: 1, handled: 2, handlerMs: 3 } as const;
/** What fits the first bucket of both histograms. */
export const QUICK_MS = BUCKETS_MS[0];

export type AskOutcome = 'ok' | 'failed' | 'timeout' | 'target_stopped' | 'mailbox_full';

export class TypeStats {
  readonly type: string;
  live = 0;
  started = 0;
  failures = 0;
  restarts = 0;
  budgetsExhausted = 0;
  messages = 0;
  stuck = 0;
  dropped = 0;
  readonly stopped: Record<ExitReason['kind'], number> = { normal: 0, shutdown: 0, killed: 0, crashed: 0 };
  readonly deadLetters: Partial<Record<DeadLetterReason, number>> = {};
  readonly asks: Record<AskOutcome, number> = { ok: 0, failed: 0, timeout: 0, target_stopped: 0, mailbox_full: 0 };
  readonly handler = new DurationHistogram();
  readonly wait = new DurationHistogram();
  readonly askTime = new DurationHistogram();
  /** What is too short for a second bucket, as nearly all is: only added up here, since a search would cost as much as a message. */
  readonly quick = new Float64Array(4);

  constructor(type: string) {
    this.type = type;
  }

  /** Adds what was quick to the histograms; before these are read. */
  settle(): void {
    const { quick } = this;
    this.wait.addToFirst(quick[QUICK.waitMs] ?? 0, quick[QUICK.waits] ?? 0);
    this.handler.addToFirst(quick[QUICK.handlerMs] ?? 0, quick[QUICK.handled] ?? 0);
    quick.fill(0);
  }
}
