/**
 * What becomes of an event that could not be settled. The table says what kind of failure an answer of the api is; the schedule and
 * the choice between retrying and giving up are the supervision tree's (contract §5), handed in as `JudgeEvent`.
 */
import { VelloError, type ErrorCode } from '../../config/errors.ts';

/**
 * `retry`: again after `delayMs`, by way of the dlq. `abandon`: to the dead stream. `pause`: the fault is ours, no event is touched,
 * the consumer stops until its supervisor restarts it.
 */
export type EventVerdict =
  { readonly kind: 'retry'; readonly delayMs: number } | { readonly kind: 'abandon' } | { readonly kind: 'pause' };

export interface EventFailure {
  readonly error: Error;
  /** Failed runs so far, this one included: 1 for the first. */
  readonly attempt: number;
}

export type JudgeEvent = (failure: EventFailure) => EventVerdict;

interface Row {
  readonly from: number;
  readonly to: number;
  readonly code: ErrorCode;
}

/** The first row that holds the status decides. */
const BY_STATUS: readonly Row[] = [
  { from: 429, to: 429, code: 'API_FAILED' },
  { from: 500, to: 599, code: 'API_FAILED' },
  { from: 401, to: 401, code: 'SERVICE_KEY_REFUSED' },
  { from: 403, to: 403, code: 'SERVICE_KEY_REFUSED' },
  { from: 400, to: 400, code: 'API_REJECTED' },
  { from: 413, to: 413, code: 'API_REJECTED' },
  { from: 422, to: 422, code: 'API_REJECTED' },
];

/**
 * The failure behind an HTTP status that is not success. A status that the api never gives for these calls (a 404, a redirect) comes
 * from something else at its address: no event's fault either.
 */
export function failureOfStatus(status: number, remoteCode: string): VelloError {
  const row = BY_STATUS.find(({ from, to }) => status >= from && status <= to);
  const said = remoteCode === '' ? `status ${status}` : `${status} ${remoteCode}`;
  return new VelloError(row?.code ?? 'API_MISMATCH', `The api answered ${said}.`);
}

/** True where a whole batch was refused for what one of its events may be: each must be asked about alone. */
export const mayBeOneOfMany = (error: unknown): boolean => error instanceof VelloError && error.code === 'API_REJECTED';

const BOOKKEEPING = new Set(['attempt', 'not_before', 'error', 'failures', 'origin_stream', 'origin_id']);

/** The event as the gateway wrote it, without what was noted on its way through the dlq. */
export function eventFields(fields: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !BOOKKEEPING.has(name)));
}

/** Failed runs so far; 0 for an event that comes straight from the gateway. */
export function failedRuns(fields: Readonly<Record<string, string>>): number {
  const attempt = Number(fields['attempt'] ?? '0');
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 0;
}

/** Unix milliseconds, by the store's clock, before which the entry waits; 0 where it need not. */
export function notBeforeMs(fields: Readonly<Record<string, string>>): number {
  const due = Number(fields['not_before'] ?? '0');
  return Number.isFinite(due) ? due : 0;
}
