/** The api as the collector sees it: what it brings, and what it gives up. */

export interface AbandonedEvent {
  /** The stream it first came from, and its id there: what makes recording it twice one record. */
  readonly stream: string;
  readonly entryId: string;
  /** The event as it was, whatever was wrong with it. */
  readonly fields: Readonly<Record<string, string>>;
  /** Every run that failed, oldest first. */
  readonly attempts: readonly AbandonedAttempt[];
  /** Why it was given up. */
  readonly errorCode: string;
}

export interface AbandonedAttempt {
  readonly attempt: number;
  /** Unix milliseconds. */
  readonly at: number;
  readonly error: string;
}

/** The lasting record of events that were given up (`dead_letters`), for operators. */
export interface AbandonedEvents {
  /** Records each event once. Returns how many were new. */
  record(events: readonly AbandonedEvent[]): Promise<number>;
}

export type AddedJob =
  | { readonly kind: 'job'; readonly jobId: string; readonly creditsDeducted: number; readonly duplicate: boolean }
  /** The api's verdict on this one event: its HTTP status and error code. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string };

/** Both calls reject with the failure of the whole call, as `event-verdict.ts` classifies it. */
export interface JobsApi {
  /** Brings 1..500 events. One result for each, in order. Resolved means committed. */
  addJobs(events: readonly Readonly<Record<string, string>>[]): Promise<readonly AddedJob[]>;
  recordDeadLetters(events: readonly AbandonedEvent[]): Promise<void>;
}
