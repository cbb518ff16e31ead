/** The two places a usage event can go: the stream, and the disk while the stream cannot be reached. */
import type { UsageEvent } from './usage-event.ts';

export interface EventOutlet {
  /**
   * Adds events to their streams, in order, and resolves with those that were not taken, or may not have been.
   * With `sentBefore` an event that is found on its stream already is not added again.
   */
  send(events: readonly UsageEvent[], sentBefore: boolean): Promise<readonly UsageEvent[]>;
}

/**
 * First in, first out, and still there when this process dies. Every operation is done when it returns, and throws where the disk fails, also
 * while it is not open.
 */
export interface EventSpool {
  /** Finds what an earlier process left. Where it throws, it may be tried again. */
  open(): void;
  /** Events in it. */
  readonly waiting: number;
  /** The death of this process cannot take them any more. Where it throws nothing was added. */
  append(events: readonly UsageEvent[]): void;
  /** Up to `count` of the oldest. */
  peek(count: number): readonly UsageEvent[];
  /** Forgets what the last `peek` gave. A process that starts later finds it again unless `noteProgress` came after. */
  drop(): void;
  /** Nothing is left of much: `noteProgress` is worth its while. */
  readonly isSpent: boolean;
  /** Writes down how far it was dropped, and makes room. */
  noteProgress(): void;
  /** Those of `ids` whose events it still has, also of what was dropped and takes room yet. */
  holds(ids: ReadonlySet<string>): ReadonlySet<string>;
  /** Notes the progress as well. */
  close(): void;
}
