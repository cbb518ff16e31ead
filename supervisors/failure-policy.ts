/** What becomes of a failed message, as data: the first rule that matches gives the verdict. The choice itself is pure. */
import type { Failure } from '../actors/kernel/failure.ts';

/**
 * `retryNow`, `retryAfter`: the message again, so often or by this schedule, then the next verdict.
 * `deadLetter`: the message is given up. `restart`: the child is. `pause`: the child handles nothing for a time, or until
 * resumed, and then gets the message again. `escalate`: the supervisor itself fails.
 */
export type Verdict =
  | { readonly kind: 'retryNow'; readonly times: number; readonly then: Verdict }
  | { readonly kind: 'retryAfter'; readonly scheduleMs: readonly number[]; readonly then: Verdict }
  | { readonly kind: 'deadLetter' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'pause'; readonly forMs?: number }
  | { readonly kind: 'escalate' };

/** A verdict with its retries resolved for one attempt. */
export type FinalVerdict =
  { readonly kind: 'retry'; readonly delayMs: number } | Exclude<Verdict, { readonly kind: 'retryNow' | 'retryAfter' }>;

export interface FailureRule {
  /** All the facts given here must hold; a list means any of them. */
  readonly when: {
    readonly messageTypes?: readonly string[];
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

/** Let it crash: what a supervisor without a policy of its own does. */
export const RESTART_POLICY: FailurePolicy = { rules: [], otherwise: { kind: 'restart' } };

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
      then: { kind: 'restart' },
    },
    {
      when: { retryable: true },
      then: { kind: 'retryAfter', scheduleMs: DLQ_SCHEDULE_MS, then: { kind: 'deadLetter' } },
    },
  ],
  otherwise: { kind: 'deadLetter' },
};

/** The verdict on a failure, by the facts of its error, its message type and its attempt (1 for the first). */
export function decide(
  policy: FailurePolicy,
  failure: Pick<Failure, 'error' | 'messageType' | 'attempt'>,
): FinalVerdict {
  const rule = policy.rules.find(({ when }) => matches(when, failure));
  return resolve(rule === undefined ? policy.otherwise : rule.then, failure.attempt);
}

function matches(when: FailureRule['when'], failure: Pick<Failure, 'error' | 'messageType'>): boolean {
  const { code, retryable } = failure.error as Error & { readonly code?: unknown; readonly retryable?: unknown };
  if (when.messageTypes !== undefined && !when.messageTypes.includes(failure.messageType)) return false;
  if (when.codes !== undefined && !(typeof code === 'string' && when.codes.includes(code))) return false;
  return when.retryable === undefined || when.retryable === (retryable === true);
}

function resolve(verdict: Verdict, attempt: number): FinalVerdict {
  if (verdict.kind === 'retryNow') {
    return attempt <= verdict.times ? { kind: 'retry', delayMs: 0 } : resolve(verdict.then, attempt - verdict.times);
  }
  if (verdict.kind === 'retryAfter') {
    const delayMs = verdict.scheduleMs[attempt - 1];
    if (delayMs !== undefined) return { kind: 'retry', delayMs };
    return resolve(verdict.then, attempt - verdict.scheduleMs.length);
  }
  return verdict;
}
