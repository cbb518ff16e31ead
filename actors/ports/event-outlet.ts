/** The two places a usage event can go: the stream, and the disk while the stream cannot be reached. */
import type { UsageEvent } from '../relay/usage-event.ts';

export interface EventOutlet {
  /**
   * Adds events to their streams, in order, and resolves with those that were not taken, or may not have been.
   * With `sentBefore` an event that is found on its stream already is not added again.
   */
  send(events: readonly UsageEvent[], sentBefore: boolean): Promise<readonly UsageEvent[]>;
}

/** First in, first out, and still there after a crash. One user at a time. */
export interface EventSpool {
  /** Finds what an earlier process left. Must be awaited before anything else. */
  open(): Promise<void>;
  /** Events in it. */
  readonly waiting: number;
  /** Durable once it resolves. Rejects when the disk does not take it; nothing was added then. */
  append(events: readonly UsageEvent[]): Promise<void>;
  /** Up to `count` of the oldest. */
  peek(count: number): Promise<readonly UsageEvent[]>;
  /** Forgets what the last `peek` gave. */
  drop(): Promise<void>;
  close(): Promise<void>;
}
