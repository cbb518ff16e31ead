/**
 * How the kernel's parts see each other: what all actors of one system share, and an actor as its parent, its supervisor
 * and the watchdog handle it. Internal: an actor's own code sees its context and refs, nothing else.
 */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ActorDefinition, Behaviour } from './actor.ts';
import type { Asks } from './ask.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { ExitReason } from './exit-reason.ts';
import type { Decision, Failure } from './failure.ts';
import type { Notice } from './notice.ts';
import type { Ref } from './ref.ts';
import type { CellTimers } from './timers.ts';
import type { TypeStats } from './type-stats.ts';
import type { Idler, Watchdog, Watched } from './watchdog.ts';

export interface Kernel {
  readonly clock: Clock;
  readonly log: Log;
  readonly dispatcher: Dispatcher;
  readonly deadLetters: DeadLetterOffice;
  readonly asks: Asks;
  readonly watchdog: Watchdog;
  /** Actors without a parent, by id. */
  readonly roots: Map<string, LiveActor>;
  /** Whether turns are measured. */
  readonly measures: boolean;
  readonly liveActors: number;
  allStats(): Iterable<TypeStats>;
  /** The numbers of a type, made at its first use. */
  statsOf(type: string): TypeStats;
  nextIncarnation(): number;
  /** Throws KernelError ACTOR_ID_INVALID, ACTOR_ID_TAKEN, ACTOR_PARENT_STOPPED, ACTOR_SPEC_INVALID. */
  spawnUnder(
    parent: LiveActor | undefined,
    id: string,
    definition: ActorDefinition<never>,
    options?: SpawnOptions,
  ): LiveActor;
}

/** Who judges an actor: its supervisor. Calls come from the actor's own turn. */
export interface ActorObserver {
  started(actor: LiveActor): void;
  /** `wasRunning` is false when the incarnation ended before its start had finished. */
  exited(actor: LiveActor, reason: ExitReason, wasRunning: boolean): void;
  failed(actor: LiveActor, failure: Failure): Decision;
}

export interface SpawnOptions {
  readonly observer?: ActorObserver;
  /** How long an end may take, the handler in flight included, before the incarnation is killed. Default 5000; none for supervisors. */
  readonly shutdownMs?: number;
}

export type ActorPhase = 'starting' | 'running' | 'stopping' | 'stopped';

/** One incarnation, from the inside. */
export interface LiveActor extends Ref<unknown>, Watched, Idler {
  readonly kernel: Kernel;
  readonly parent: LiveActor | undefined;
  readonly id: string;
  readonly phase: ActorPhase;
  readonly behaviour: Behaviour<never> | undefined;
  readonly children: ReadonlyMap<string, LiveActor> | undefined;
  /** Set when it is told to stop, final once `phase` is `stopped`. */
  readonly exitReason: ExitReason | undefined;
  readonly stats: TypeStats;
  readonly signal: AbortSignal;
  readonly timers: CellTimers;
  readonly mailboxDepth: number;
  readonly isPaused: boolean;
  readonly isStuck: boolean;
  /** The asynchronous handler in flight; undefined when there is none. */
  readonly inFlight: { readonly messageType: string; readonly sinceMs: number } | undefined;
  /** Puts a notice in the control lane. */
  post(notice: Notice): void;
  /** Ends it in order: after the handler in flight, children first, then its own `stop`. The first reason given stays. */
  requestStop(reason: ExitReason): void;
  /**
   * Ends it and its descendants now. A handler in flight goes on unseen, its result is ignored; `stop` is called but not waited for.
   * `withParent`: the parent's end is reported, this one is not.
   */
  kill(why: string, withParent?: boolean): void;
  /** Ends a pause. */
  resume(): void;
  /** Calls back once with the final reason, at once when already stopped. Returns the way to stop watching. */
  onExit(notify: (reason: ExitReason) => void): () => void;
  /** Runs `undo` when this incarnation ends, unless withdrawn by the returned function. */
  beforeGone(undo: () => void): () => void;
  /** The children, for one to be added. */
  openChildren(): Map<string, LiveActor>;
  childGone(child: LiveActor): void;
}
