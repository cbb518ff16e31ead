/**
 * How one incarnation of an actor begins and ends: its start, its children, those who watch it, its orderly stop and its kill.
 * Each happens once; a restart is a new incarnation. Message handling is in `cell.ts`.
 */
import type { ActorDefinition, Behaviour } from './actor.ts';
import { createContext } from './context.ts';
import { toError } from './errors.ts';
import { describeExit, isAbnormal, SHUTDOWN, type ExitReason } from './exit-reason.ts';
import type { ActorPhase, Kernel, LiveActor, SpawnOptions } from './kernel.ts';
import type { Timer } from '../ports/clock.ts';
import { isSupervising } from './supervision-view.ts';
import { CellTimers } from './timers.ts';
import type { TypeStats } from './type-stats.ts';

/** For children outside any supervisor's specification. */
const DEFAULT_SHUTDOWN_MS = 5000;
const NO_OPTIONS: SpawnOptions = {};

export abstract class Incarnation {
  readonly kernel: Kernel;
  readonly parent: LiveActor | undefined;
  readonly id: string;
  readonly definition: ActorDefinition<never>;
  readonly options: SpawnOptions;
  readonly stats: TypeStats;
  readonly incarnation: number;
  phase: ActorPhase = 'starting';
  behaviour: Behaviour<never> | undefined = undefined;
  children: Map<string, LiveActor> | undefined = undefined;
  exitReason: ExitReason | undefined = undefined;
  openAsks = 0;
  /** The actor's own code returned a promise that is not settled yet; it gets no turn until then. */
  isSuspended = false;
  /** Type of the message whose failure ended it; undefined when it failed to start, or did not fail. */
  protected crashedOn: string | undefined = undefined;
  #timers: CellTimers | undefined = undefined;
  #abort: AbortController | undefined = undefined;
  /** Those told of this actor's end. */
  #watchers: Set<(reason: ExitReason) => void> | undefined = undefined;
  /** What this actor's end undoes elsewhere: its own watches. */
  #undos: Set<() => void> | undefined = undefined;
  /** Runs from the request to stop until the end, when that takes more than one turn. */
  #deadline: Timer | undefined = undefined;
  #childrenToStop: LiveActor[] | undefined = undefined;
  #stoppingChild: LiveActor | undefined = undefined;
  #ending: 'not yet' | 'children' | 'own' = 'not yet';
  #isStopCalled = false;
  #wasRunning = false;
  #endedWithParent = false;

  constructor(
    kernel: Kernel,
    parent: LiveActor | undefined,
    id: string,
    definition: ActorDefinition<never>,
    options: SpawnOptions = NO_OPTIONS,
  ) {
    this.kernel = kernel;
    this.parent = parent;
    this.id = id;
    this.definition = definition;
    this.options = options;
    this.stats = kernel.statsOf(definition.type);
    this.incarnation = kernel.nextIncarnation();
    this.stats.live += 1;
  }

  get path(): string {
    return this.parent === undefined ? this.id : `${this.parent.path}/${this.id}`;
  }

  get type(): string {
    return this.definition.type;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.exitReason !== undefined) this.#abort.abort();
    return this.#abort.signal;
  }

  get timers(): CellTimers {
    this.#timers ??= new CellTimers(this.kernel.clock, (notice) => this.self.post(notice));
    if (this.exitReason !== undefined) this.#timers.close();
    return this.#timers;
  }

  protected abstract readonly self: LiveActor;
  /** Asks for a turn, if something is left to do and none was asked for. */
  protected abstract scheduleIfNeeded(): void;
  /** Marks the begin and end of waiting for a promise of the actor's own code. */
  protected abstract beginWait(): void;
  protected abstract endWait(): void;
  /** Both lanes to the dead letters. */
  protected abstract discardMessages(): void;

  protected get isEnding(): boolean {
    return this.#ending !== 'not yet';
  }

  // --- Start ---

  protected runStart(): void {
    try {
      const started = this.definition.start(createContext(this.self));
      if (!('then' in started)) return this.#started(started);
      this.beginWait();
      started.then(
        (behaviour) => {
          if (this.phase === 'stopped') this.#releaseUnwaited(behaviour);
          else this.#startSettled(() => this.#started(behaviour));
        },
        (error: unknown) => this.#startSettled(() => this.#startFailed(error)),
      );
    } catch (error) {
      this.#startFailed(error);
    }
  }

  #startSettled(then: () => void): void {
    if (this.phase === 'stopped') return;
    this.isSuspended = false;
    then();
    this.endWait();
  }

  /** What a killed incarnation took, it gives back: its successor may need that very port. Nobody waits for it. */
  #releaseUnwaited(behaviour: Behaviour<never>): void {
    const released = Promise.resolve().then(() => behaviour.stop?.(this.exitReason ?? SHUTDOWN));
    released.catch((error: unknown) => this.#reportStopFailure(error));
  }

  #started(behaviour: Behaviour<never>): void {
    this.behaviour = behaviour;
    this.stats.started += 1;
    // Told to stop while starting: what `start` took must still be released, so the end follows in its own turn.
    if (this.phase !== 'starting') return;
    this.phase = 'running';
    this.#wasRunning = true;
    if (this.definition.passivateAfterMs !== undefined) this.kernel.watchdog.addIdler(this.self);
    this.options.observer?.started(this.self);
  }

  #startFailed(thrown: unknown): void {
    const error = toError(thrown);
    this.stats.failures += 1;
    this.kernel.log.warn('actor failed to start', { actor: this.path, error: error.message });
    this.requestStop({ kind: 'crashed', error });
  }

  // --- End ---

  requestStop(reason: ExitReason): void {
    if (this.exitReason !== undefined) return;
    this.exitReason = reason;
    this.phase = 'stopping';
    this.#abort?.abort();
    this.#timers?.close();
    if (this.isSuspended) this.armDeadline();
    this.scheduleIfNeeded();
  }

  /** The end itself, in a turn of its own: children, then the behaviour's `stop`, then the farewell. */
  protected runEnd(): void {
    this.#ending = 'children';
    if (!isSupervising(this.behaviour) && this.#stopNewestChild()) return this.armDeadline();
    this.#ending = 'own';
    this.#isStopCalled = true;
    try {
      const stopped = this.behaviour?.stop?.(this.exitReason ?? SHUTDOWN);
      if (stopped === undefined) return this.#finishAfterChildren();
      this.armDeadline();
      stopped.then(
        () => this.#finishAfterChildren(),
        (error: unknown) => this.#stopFailed(error),
      );
    } catch (error) {
      this.#stopFailed(error);
    }
  }

  #stopFailed(error: unknown): void {
    if (this.phase === 'stopped') return;
    this.#reportStopFailure(error);
    this.#finishAfterChildren();
  }

  #reportStopFailure(error: unknown): void {
    this.stats.failures += 1;
    this.kernel.log.error('actor failed to stop', { actor: this.path, error: toError(error).message });
  }

  /** One at a time, each before those it may rely on. No child can be added any more, so the list is made once. */
  #stopNewestChild(): boolean {
    this.#childrenToStop ??= [...(this.children?.values() ?? [])];
    for (let newest = this.#childrenToStop.pop(); newest !== undefined; newest = this.#childrenToStop.pop()) {
      if (newest.phase === 'stopped') continue;
      this.#stoppingChild = newest;
      newest.requestStop(SHUTDOWN);
      return true;
    }
    return false;
  }

  openChildren(): Map<string, LiveActor> {
    return (this.children ??= new Map<string, LiveActor>());
  }

  childGone(child: LiveActor): void {
    this.children?.delete(child.id);
    if (this.#ending === 'children' && child === this.#stoppingChild) this.runEnd();
  }

  /** A behaviour that ends its own children may have left some behind, for example after its `stop` failed. */
  #finishAfterChildren(): void {
    if (this.phase === 'stopped') return;
    this.#killChildren('their parent ended');
    this.#finish();
  }

  kill(why: string, withParent = false): void {
    if (this.phase === 'stopped') return;
    this.#endedWithParent = withParent;
    const mustRelease = !this.#isStopCalled;
    this.exitReason = { kind: 'killed', why };
    this.#ending = 'own';
    this.#isStopCalled = true;
    this.#killChildren(why);
    this.#finish();
    if (mustRelease && this.behaviour !== undefined) this.#releaseUnwaited(this.behaviour);
  }

  #killChildren(why: string): void {
    if (this.children === undefined) return;
    for (const child of [...this.children.values()].reverse()) child.kill(why, true);
  }

  protected armDeadline(): void {
    const shutdownMs = this.options.shutdownMs ?? (isSupervising(this.behaviour) ? Infinity : DEFAULT_SHUTDOWN_MS);
    if (this.#deadline !== undefined || shutdownMs === Infinity) return;
    this.#deadline = this.kernel.clock.setTimer(shutdownMs, () => this.kill(`did not stop within ${shutdownMs} ms`));
  }

  #finish(): void {
    const reason = this.exitReason ?? SHUTDOWN;
    this.#report(reason);
    this.phase = 'stopped';
    this.exitReason = reason;
    this.isSuspended = false;
    this.#deadline?.cancel();
    this.#abort?.abort();
    this.#timers?.close();
    this.kernel.watchdog.forget(this.self);
    this.discardMessages();
    this.kernel.asks.targetStopped(this);
    for (const undo of this.#undos ?? []) undo();
    this.stats.live -= 1;
    this.stats.stopped[reason.kind] += 1;
    this.#tellOfEnd(reason);
  }

  #tellOfEnd(reason: ExitReason): void {
    if (this.parent === undefined) this.kernel.roots.delete(this.id);
    const watchers = [...(this.#watchers ?? [])];
    this.#watchers = undefined;
    for (const notify of watchers) notify(reason);
    this.parent?.childGone(this.self);
    this.options.observer?.exited(this.self, reason, this.#wasRunning);
  }

  /** One report for each end that nobody asked for, of whatever kind of child; what comes of it is its supervisor's line. */
  #report(reason: ExitReason): void {
    if (!isAbnormal(reason) || this.#endedWithParent) return;
    this.kernel.log.error('actor crashed', {
      actor: this.path,
      type: this.type,
      incarnation: this.incarnation,
      exit: describeExit(reason),
      ...(this.crashedOn !== undefined && { message: this.crashedOn }),
      mailboxDepth: this.self.mailboxDepth,
      ...(reason.kind === 'crashed' && { error: reason.error }),
    });
  }

  // --- Watching ---

  onExit(notify: (reason: ExitReason) => void): () => void {
    if (this.phase === 'stopped') {
      notify(this.exitReason ?? SHUTDOWN);
      return () => undefined;
    }
    const watchers = (this.#watchers ??= new Set());
    watchers.add(notify);
    return () => watchers.delete(notify);
  }

  beforeGone(undo: () => void): () => void {
    const undos = (this.#undos ??= new Set());
    undos.add(undo);
    return () => undos.delete(undo);
  }
}
