/**
 * How the kernel's parts see each other: what all actors of one system share, and an actor as its parent, its supervisor
 * and the watchdog handle it. Internal: an actor's own code sees its context and refs, nothing else.
 */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ActorDefinition, Behaviour } from './actor.ts';
import type { Asks, AskTarget } from './ask.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { ExitReason } from './exit-reason.ts';
import type { Ref } from './ref.ts';
import type { CellTimers } from './timers.ts';
import type { TypeStats } from './type-stats.ts';
import type { Watchdog, Watched } from './watchdog.ts';

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

/** Who is told of an actor's start and end: its supervisor. Calls come from the actor's own turn. */
export interface ActorObserver {
  started(actor: LiveActor): void;
  exited(actor: LiveActor, reason: ExitReason): void;
}

export interface SpawnOptions {
  readonly observer?: ActorObserver;
  /** How long an end may take, the handler in flight included, before the incarnation is killed. Default 5000; none for supervisors. */
  readonly shutdownMs?: number;
  /** Incarnations that the supervisor had of it before. */
  readonly restarts?: number;
}

/**
 * Where an incarnation is in its one life:
 *
 *     new ─▶ starting ─▶ running ◀─▶ handling     a promise of its own code is in flight in `starting` and `handling`
 *      └────────┬────────┴──────────────┘         told to stop:
 *               ├─▶ finishing ─┐                  that promise is still in flight, or
 *               └─▶ leaving ◀──┘─▶ ending         its end is due, then the promise of its `stop` in flight
 *
 * and `stopped` from anywhere, at once when killed.
 */
export type ActorState = 'new' | 'starting' | 'running' | 'handling' | 'finishing' | 'leaving' | 'ending' | 'stopped';

/** One incarnation, from the inside. */
export interface LiveActor extends Ref<unknown>, Watched, AskTarget {
  readonly kernel: Kernel;
  readonly parent: LiveActor | undefined;
  readonly id: string;
  readonly state: ActorState;
  readonly behaviour: Behaviour<never> | undefined;
  readonly children: ReadonlyMap<string, LiveActor> | undefined;
  /** Set when it is told to stop, final once it is stopped. */
  readonly exitReason: ExitReason | undefined;
  readonly stats: TypeStats;
  readonly signal: AbortSignal;
  readonly timers: CellTimers;
  readonly mailboxDepth: number;
  readonly isStuck: boolean;
  /** The start or asynchronous handler in flight; undefined when there is none. */
  readonly inFlight: { readonly messageType: string; readonly sinceMs: number } | undefined;
  /** Ends it in order: after the handler in flight, then its own `stop`. The first reason given stays. */
  requestStop(reason: ExitReason): void;
  /**
   * Ends it and its descendants now. A handler in flight goes on unseen, its result is ignored; `stop` is called but not waited for.
   * `withParent`: the parent's end is reported, this one is not.
   */
  kill(why: string, withParent?: boolean): void;
  /** Calls back once with the final reason, at once when already stopped. */
  onExit(notify: (reason: ExitReason) => void): void;
  /** The children, for one to be added or removed. */
  openChildren(): Map<string, LiveActor>;
}
