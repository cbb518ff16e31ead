/** What an actor is: a definition (how to start it), a behaviour (what it does), a context (what it is handed). No machinery. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ExitReason } from './exit-reason.ts';
import type { Ref } from './ref.ts';

/**
 * What happens to a message that finds the mailbox full: refused; or the oldest waiting one gives way;
 * or it replaces the waiting message with the same key (in that one's place), and is refused when there is none.
 */
export type Overflow<M> = 'reject' | 'drop-oldest' | { readonly coalesceBy: (message: M) => string | undefined };

export interface ActorDefinition<M> {
  /** Metric label: a small enumeration, never an id. */
  readonly type: string;
  /** Default: 4096 messages, reject. */
  readonly mailbox?: { readonly capacity?: number; readonly overflow?: Overflow<M> };
  /** A handler (or start) still running after this is reported as Stuck. */
  readonly handlerDeadlineMs?: number;
  /** What the watchdog does with a stuck incarnation: only report (default), or end it as `killed` for its supervisor to replace. */
  readonly whenStuck?: 'report' | 'abandon';
  /** Stops normally after this long without a message. */
  readonly passivateAfterMs?: number;
  /** Builds the state of one incarnation. A throw or rejection is a failed start. */
  start(ctx: ActorContext<M>): Behaviour<M> | Promise<Behaviour<M>>;
}

export interface Behaviour<M> {
  /** Handles one message. A promise suspends this actor only; a throw or rejection is a failure, for the supervisor to judge. */
  receive(message: M): void | Promise<void>;
  /** Releases what `start` took. Called once, whatever the reason; awaited up to the child's `shutdownMs`, after a kill not at all. */
  stop?(reason: ExitReason): void | Promise<void>;
  /** Whether it can do its work now; feeds `/health/ready`. Default: true once started. */
  ready?(): boolean;
  /** A few facts for `/actors`. Never secrets, never payloads. */
  describe?(): Record<string, string | number | boolean>;
}

/** Messages to oneself, later. At most one per key waits, it is never dropped, and it dies with the incarnation. */
export interface ActorTimers<M> {
  once(key: string, delayMs: number, message: M): void;
  every(key: string, periodMs: number, message: M): void;
  cancel(key: string): void;
}

export interface ActorContext<M> {
  readonly self: Ref<M>;
  /** Aborted the moment this incarnation is told to stop. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  readonly timers: ActorTimers<M>;
  /** Delivers `message(reason)` once when `target` ends, at once if it already has. Returns the way to stop watching. */
  watch(target: Ref<never>, message: (reason: ExitReason) => M): () => void;
  /** A child outside any supervisor's specification. It dies with this actor and is not restarted. */
  spawn<C>(id: string, definition: ActorDefinition<C>): Ref<C>;
  /** Ends this incarnation after the current message. Default reason: normal. */
  stop(reason?: ExitReason): void;
}
