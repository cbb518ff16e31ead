/** What becomes of an event that could not be settled, as data: the first rule that matches gives the verdict. The choice is pure. */
import type { EventFailure, EventVerdict } from '../actors/intake/event-verdict.ts';

/** `retryAfter`: again by this schedule, then the next verdict. The others as in `EventVerdict`. */
export type Verdict =
  | { readonly kind: 'retryAfter'; readonly scheduleMs: readonly number[]; readonly then: Verdict }
  | Exclude<EventVerdict, { readonly kind: 'retry' }>;

export interface FailureRule {
  /** All the facts given here must hold; a list means any of them. */
  readonly when: {
    /** The error's `code`. */
    readonly codes?: readonly string[];
    /** The error's `retryable`; an error without one is not. */
    readonly retryable?: boolean;
  };
  readonly then: Verdict;
}

export interface FailurePolicy {
  readonly rules: readonly FailureRule[];
  readonly otherwise: Verdict;
}

/** The delays between the tries of a usage event that could not be settled (contract §5). After the last it is abandoned. */
export const DLQ_SCHEDULE_MS = [5_000, 15_000, 45_000] as const;

/**
 * Contract §5, "Events to jobs": what is down comes back, so the event waits; what is wrong stays wrong, so it is given up;
 * our own refused key or a lost Redis is no event's fault, so the consumer restarts, with backoff, and no event is touched.
 */
export const DLQ_POLICY: FailurePolicy = {
  rules: [
    {
      when: { codes: ['SERVICE_KEY_REFUSED', 'API_MISMATCH', 'REDIS_UNAVAILABLE', 'DISK_UNAVAILABLE'] },
      then: { kind: 'pause' },
    },
    {
      when: { retryable: true },
      then: { kind: 'retryAfter', scheduleMs: DLQ_SCHEDULE_MS, then: { kind: 'abandon' } },
    },
  ],
  otherwise: { kind: 'abandon' },
};

/** The verdict on a failure, by the facts of its error and its attempt (1 for the first). */
export function decide(policy: FailurePolicy, failure: EventFailure): EventVerdict {
  const rule = policy.rules.find(({ when }) => matches(when, failure.error));
  return resolve(rule === undefined ? policy.otherwise : rule.then, failure.attempt);
}

function matches(when: FailureRule['when'], error: Error): boolean {
  const { code, retryable } = error as Error & { readonly code?: unknown; readonly retryable?: unknown };
  if (when.codes !== undefined && !(typeof code === 'string' && when.codes.includes(code))) return false;
  return when.retryable === undefined || when.retryable === (retryable === true);
}

function resolve(verdict: Verdict, attempt: number): EventVerdict {
  if (verdict.kind !== 'retryAfter') return verdict;
  const delayMs = verdict.scheduleMs[attempt - 1];
  if (delayMs !== undefined) return { kind: 'retry', delayMs };
  return resolve(verdict.then, attempt - verdict.scheduleMs.length);
}
