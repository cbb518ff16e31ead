/** The actor system of one process: it makes actors, finds them by path, shows them, and ends them all. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { ActorDefinition } from './actor.ts';
import { Asks } from './ask.ts';
import { Cell } from './cell.ts';
import { DeadLetterOffice, type DeadLetters } from './dead-letters.ts';
import { Dispatcher } from './dispatcher.ts';
import { KernelError } from './errors.ts';
import { SHUTDOWN } from './exit-reason.ts';
import type { Kernel, LiveActor, SpawnOptions } from './kernel.ts';
import { checkMailbox } from './mailbox.ts';
import { publishMetrics } from './publish-metrics.ts';
import type { Ref, TellResult } from './ref.ts';
import { safeLog } from './safe-log.ts';
import { takeActorSnapshot, takeSnapshot, type ActorSnapshot, type SystemSnapshot } from './snapshot.ts';
import { TypeStats } from './type-stats.ts';
import { Watchdog } from './watchdog.ts';

export interface ActorSystemParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Default true. False only to find out what measuring costs. */
  readonly measures?: boolean;
}

export interface ActorSystem {
  /** Starts an actor without a parent. Throws KernelError ACTOR_ID_INVALID, ACTOR_ID_TAKEN, ACTOR_SPEC_INVALID. */
  spawn<M>(id: string, definition: ActorDefinition<M>): Ref<M>;
  /** The present incarnation at a path such as `vello/api/notices`; the caller vouches for its message type. */
  resolve<M>(path: string): Ref<M> | undefined;
  /** Tells whoever lives at a path now; a dead letter of reason `unknown` where nobody does. */
  tell(path: string, message: unknown): TellResult;
  readonly deadLetters: DeadLetters;
  /** The tree as plain data; siblings of one type beyond two dozen as one line. */
  snapshot(): SystemSnapshot;
  /** One actor and what is below it, its children listed one by one; undefined where there is none. */
  snapshotOf(path: string): ActorSnapshot | undefined;
  /** True when no actor has anything to do right now; asynchronous handlers may still be in flight. */
  readonly isIdle: boolean;
  /** Ends every actor, newest first, and resolves when nothing is left. */
  stop(): Promise<void>;
}

export function createActorSystem(parts: ActorSystemParts): ActorSystem {
  return new System(parts);
}

/** Children that a question about one actor lists at most, before they become a group. */
const LISTED_ON_REQUEST = 1000;

class System implements ActorSystem, Kernel {
  readonly clock: Clock;
  readonly log: Log;
  readonly dispatcher: Dispatcher;
  readonly deadLetters: DeadLetterOffice;
  readonly asks: Asks;
  readonly watchdog: Watchdog;
  readonly roots = new Map<string, LiveActor>();
  readonly #stats = new Map<string, TypeStats>();
  #incarnations = 0;
  #isStopping = false;
  readonly measures: boolean;
  readonly #startedMs: number;

  constructor({ clock, log, metrics, measures = true }: ActorSystemParts) {
    this.measures = measures;
    this.#startedMs = clock.monotonicMs();
    this.clock = clock;
    this.log = safeLog(log);
    this.dispatcher = new Dispatcher(clock, this.log);
    this.deadLetters = new DeadLetterOffice(clock);
    this.asks = new Asks(clock, this.deadLetters);
    this.watchdog = new Watchdog(clock);
    publishMetrics(this, metrics);
  }

  get liveActors(): number {
    let live = 0;
    for (const stats of this.#stats.values()) live += stats.live;
    return live;
  }

  allStats(): Iterable<TypeStats> {
    return this.#stats.values();
  }

  get isIdle(): boolean {
    return this.dispatcher.isIdle;
  }

  spawn<M>(id: string, definition: ActorDefinition<M>): Ref<M> {
    return this.spawnUnder(undefined, id, definition);
  }

  spawnUnder(
    parent: LiveActor | undefined,
    id: string,
    definition: ActorDefinition<never>,
    options?: SpawnOptions,
  ): LiveActor {
    if (id === '' || id.includes('/')) throw new KernelError('ACTOR_ID_INVALID', `"${id}" is not an actor id`);
    checkMailbox(definition);
    // A branch that is not told to stop yet may still restart its children.
    if (parent === undefined ? this.#isStopping : parent.exitReason !== undefined) {
      throw new KernelError('ACTOR_PARENT_STOPPED', `${parent?.path ?? 'the actor system'} is stopping`);
    }
    const siblings = parent === undefined ? this.roots : parent.openChildren();
    const present = siblings.get(id);
    if (present !== undefined) throw new KernelError('ACTOR_ID_TAKEN', `${present.path} is running already`);
    const cell = new Cell(this, parent, id, definition, options);
    siblings.set(id, cell);
    return cell;
  }

  snapshot(): SystemSnapshot {
    return takeSnapshot(this, this.#startedMs);
  }

  snapshotOf(path: string): ActorSnapshot | undefined {
    const actor = this.#find(path);
    return actor === undefined ? undefined : takeActorSnapshot(this, actor, LISTED_ON_REQUEST);
  }

  resolve<M>(path: string): Ref<M> | undefined {
    return this.#find(path);
  }

  tell(path: string, message: unknown): TellResult {
    const actor = this.#find(path);
    if (actor !== undefined) return actor.tell(message);
    this.deadLetters.record('unknown', path, this.statsOf('unknown'), message);
    return 'dead';
  }

  #find(path: string): LiveActor | undefined {
    const [first = '', ...rest] = path.split('/');
    let found = this.roots.get(first);
    for (const id of rest) found = found?.children?.get(id);
    return found;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const root of [...this.roots.values()].reverse()) {
      root.requestStop(SHUTDOWN);
      await new Promise<void>((resolve) => root.onExit(() => resolve()));
    }
    this.watchdog.close();
    this.asks.close();
    this.dispatcher.close();
  }

  statsOf(type: string): TypeStats {
    let stats = this.#stats.get(type);
    if (stats === undefined) this.#stats.set(type, (stats = new TypeStats(type)));
    return stats;
  }

  nextIncarnation(): number {
    this.#incarnations += 1;
    return this.#incarnations;
  }
}
