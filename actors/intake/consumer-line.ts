/**
 * One consumer's line, reader → workers → settler: how its actors find each other, and what they say to each other. The line outlives
 * their incarnations; each actor enters itself when it starts, and all start again together.
 */
import type { EventStreamKind } from '../../config/streams.ts';
import type { Ref, Reply } from '../kernel/ref.ts';
import type { EntryMove, EventStream, StreamEntry } from './event-stream.ts';

export type ReaderMessage =
  | { readonly type: 'pull' }
  /** A worker has nothing left to do. */
  | { readonly type: 'idle'; readonly worker: number }
  /** Look for entries that a dead consumer left, and for own ones that nobody here knows. */
  | { readonly type: 'sweep' };

export interface WorkerMessage {
  readonly type: 'batch';
  readonly entries: readonly StreamEntry[];
}

/** What became of a batch. Answered once it is durable. */
export type SettlerMessage =
  | {
      readonly type: 'outcome';
      readonly done: readonly string[];
      readonly deferred: readonly EntryMove[];
      readonly abandoned: readonly EntryMove[];
      readonly reply: Reply<undefined>;
    }
  | { readonly type: 'flush' }
  /** Keep what the line owns from being claimed. */
  | { readonly type: 'renew' };

export interface ConsumerLine {
  readonly kind: EventStreamKind;
  /** This process among the consumers of the group; the same for all its incarnations, so that they find what they own. */
  readonly consumer: string;
  readonly workerCount: number;
  /** Entries in one post to the api. */
  readonly batchSize: number;
  /** Entries of the dlq that may wait in memory for their time. */
  readonly waitingLimit: number;
  /** An entry whose owner has not renewed it for this long belongs to whoever claims it. */
  readonly leaseMs: number;
  /** False from a failure that was our own fault until something went well again; feeds readiness, and slows the reader down. */
  isTrusted: boolean;
  stream: EventStream | undefined;
  reader: Ref<ReaderMessage> | undefined;
  readonly workers: (Ref<WorkerMessage> | undefined)[];
  settler: Ref<SettlerMessage> | undefined;
}

/** From the third delivery without an end on, an entry is taken for the killer of its consumers (contract §5). */
export const MAX_DELIVERIES = 3;

export function createConsumerLine(
  kind: EventStreamKind,
  consumer: string,
  sizes: {
    readonly leaseMs: number;
    readonly workerCount?: number;
    readonly batchSize?: number;
  },
): ConsumerLine {
  return {
    kind,
    consumer,
    workerCount: sizes.workerCount ?? 4,
    batchSize: sizes.batchSize ?? 100,
    waitingLimit: kind === 'dlq' ? 5000 : 0,
    leaseMs: sizes.leaseMs,
    isTrusted: true,
    stream: undefined,
    reader: undefined,
    workers: [],
    settler: undefined,
  };
}

/** What an actor of the line needs of another that starts before it. */
export function present<T>(part: T | undefined, name: string): T {
  if (part === undefined) throw new Error(`the ${name} of this line is not running`);
  return part;
}
