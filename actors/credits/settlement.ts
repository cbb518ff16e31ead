/** The store that turns usage events into jobs and moves credits for them, once per event id. */
import type { UsageEvent } from '../events/usage-event.ts';

/** A usage event with its owner and its price. */
export type PricedEvent = UsageEvent & {
  readonly userId: string;
  readonly deviceId: string;
  /** Whole credits, 0 or more. */
  readonly credits: number;
};

export type SettlementVerdict =
  | {
      readonly outcome: 'settled';
      readonly eventId: string;
      readonly jobId: string;
      readonly userId: string;
      readonly deviceId: string;
      readonly creditsDeducted: number;
      /** After this event; for a duplicate, as it was after the first time. */
      readonly balance: number;
      readonly duplicate: boolean;
      /** The user has nothing left now: the gateway must be told. */
      readonly exhausted: boolean;
      /** Number of the `job_created` message in the device's outbox; undefined for a duplicate. */
      readonly messageSeq: number | undefined;
    }
  /** No such user, or no such device of that user: nothing was recorded. */
  | { readonly outcome: 'unknown_user'; readonly eventId: string }
  /** The event holds a value that cannot be stored: nothing was recorded of it, and the others are not affected. */
  | { readonly outcome: 'refused'; readonly eventId: string };

export interface Settlement {
  /** One transaction for 1..500 events, several where one of them is refused; verdicts in the order of the events. Repeats, inside one call too, change nothing. */
  settle(events: readonly PricedEvent[]): Promise<readonly SettlementVerdict[]>;
}
