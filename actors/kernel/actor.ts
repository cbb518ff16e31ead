/** What an actor is: a definition (how to start it), a behaviour (what it does), a context (what it is handed). No machinery. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ExitReason } from './exit-reason.ts';
import type { Ref } from './ref.ts';

export interface ActorDefinition<M> {
  /** Metric label: a small enumeration, never an id. */
  readonly type: string;
  /** How many messages may wait; what comes beyond is refused. Default: 4096. */
  readonly mailbox?: { readonly capacity?: number };
  /** A handler (or start) still running after this is reported as Stuck. */
  readonly handlerDeadlineMs?: number;
  /** Builds the state of one incarnation. A throw or rejection is a failed start. */
  start(ctx: ActorContext<M>): Behaviour<M> | Promise<Behaviour<M>>;
}

export interface Behaviour<M> {
  /** Handles one message. A promise suspends this actor only; a throw or rejection ends the incarnation. */
  receive(message: M): void | Promise<void>;
  /** Releases what `start` took. Called once, whatever the reason; awaited up to the child's `shutdownMs`, after a kill not at all. */
  stop?(reason: ExitReason): void | Promise<void>;
  /** Whether it can do its work now; feeds `/health/ready`. Default: true once started. */
  ready?(): boolean;
  describe?(): Facts;
}

/** What `/actors` shows of one. Never secrets, never payloads. */
export type Facts = Record<string, string | number | boolean>;

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
  /** Ends this incarnation after the current message. Default reason: normal. */
  stop(reason?: ExitReason): void;
}
