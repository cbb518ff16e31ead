/** The api as the collector sees it. */
import type { AbandonedEvent } from './abandoned-events.ts';

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
