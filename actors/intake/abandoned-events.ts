/** The lasting record of events that were given up (`dead_letters`), for operators. */

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

export interface AbandonedEvents {
  /** Records each event once. Returns how many were new. */
  record(events: readonly AbandonedEvent[]): Promise<number>;
}
