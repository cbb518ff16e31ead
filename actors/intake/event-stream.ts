/**
 * One event stream as a consumer sees it: entries are owned from the moment they are read until they are settled, moved or released.
 * Every operation that ends an ownership checks it first: who lost an entry to another consumer changes nothing (contract §5).
 */
import type { EventStreamKind } from '../../config/streams.ts';

export interface StreamEntry {
  readonly id: string;
  readonly fields: Readonly<Record<string, string>>;
  /** How often it was handed to a consumer, this time included. Orderly releases are not counted, so that it counts crashes. */
  readonly deliveries: number;
}

/** One entry on its way to another stream, with what its copy shall say. */
export interface EntryMove {
  readonly id: string;
  /** How many runs have failed so far, the last one included. */
  readonly attempt: number;
  /** Why the last run failed: an error code. */
  readonly error: string;
  /** Not to be run again before this many milliseconds of the store's own time have passed. Absent: it is not to be run again. */
  readonly delayMs?: number;
}

export interface ClaimTerms {
  /** Only entries that nobody touched for this long. */
  readonly minIdleMs: number;
  /** An entry that was already handed out this often without being settled goes to the dead stream unrun. */
  readonly maxDeliveries: number;
  /** An entry about to be handed out for at least the so-manieth time comes alone: it may be what kills its consumers. */
  readonly aloneFrom: number;
  readonly count: number;
}

export interface Claimed {
  readonly entries: readonly StreamEntry[];
  /** Ids of the entries that went to the dead stream unrun. */
  readonly buried: readonly string[];
}

export interface StreamDepth {
  /** Entries in the stream: waiting and owned. */
  readonly length: number;
  /** Entries that some consumer owns. */
  readonly pending: number;
  /** Age of the oldest entry by the store's clock; 0 where there is none. */
  readonly oldestMs: number;
}

/**
 * All operations reject with a retryable error where the store is gone. The consumer group comes back by itself, from the first
 * entry on, where the store has lost it: `read` and `claim` then find nothing this once.
 */
export interface EventStream {
  readonly kind: EventStreamKind;
  /**
   * Up to `count` entries that nobody has had yet; waits up to `waitMs` for the first. Rejects where the answer was lost on the
   * way: what was read is then among `held`.
   */
  read(consumer: string, count: number, waitMs: number): Promise<readonly StreamEntry[]>;
  /** All that `consumer` owns, oldest first, without counting it as a delivery. For a new incarnation of the same consumer. */
  held(consumer: string): Promise<readonly StreamEntry[]>;
  /** Ids of what `consumer` owns, oldest first. Touches nothing. */
  owned(consumer: string): Promise<readonly string[]>;
  /** Starts the lease of all that `consumer` owns and has not touched for `idleMs` anew. */
  renew(consumer: string, idleMs: number): Promise<void>;
  /** Takes over entries of other consumers. */
  claim(consumer: string, terms: ClaimTerms): Promise<Claimed>;
  /** Acknowledges and deletes. Returns the ids that `consumer` no longer owned, which are untouched. */
  settle(consumer: string, ids: readonly string[]): Promise<readonly string[]>;
  /** Copies each entry to the end of `to` and deletes it here, in one step. Returns the ids that were no longer owned. */
  move(consumer: string, to: 'dlq' | 'dead', moves: readonly EntryMove[]): Promise<readonly string[]>;
  /** Acknowledges and keeps the entries. Returns the ids that were no longer owned. */
  acknowledge(consumer: string, ids: readonly string[]): Promise<readonly string[]>;
  /** Gives up all that `consumer` owns: another may claim it at once, and nothing is held against the entries. Returns how many. */
  release(consumer: string): Promise<number>;
  /** Forgets consumers that own nothing and were silent for `idleMs`. Returns how many. */
  forgetConsumers(idleMs: number): Promise<number>;
  depth(): Promise<StreamDepth>;
  /** Unix milliseconds by the store's clock, by which `not_before` is meant. */
  now(): Promise<number>;
  /** Ends a `read` under way, which rejects; the rest goes on. */
  interrupt(): void;
  /** Gives back the connections. */
  close(): void;
}

export interface EventStreams {
  /** Opens one stream for one reader, and makes its group where it is missing. */
  open(kind: EventStreamKind): Promise<EventStream>;
}
