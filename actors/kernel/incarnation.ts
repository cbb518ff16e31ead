/**
 * How one incarnation of an actor begins and ends: its start, its orderly stop, its kill, and who is told. Each happens once; a
 * restart is a new incarnation. Message handling is in `cell.ts`.
 */
import type { Timer } from '../ports/clock.ts';
import type { ActorDefinition, Behaviour } from './actor.ts';
import type { PendingAsk } from './ask.ts';
import { createContext } from './context.ts';
import { toError } from './errors.ts';
import { describeExit, isAbnormal, SHUTDOWN, type ExitReason } from './exit-reason.ts';
import type { ActorState, Kernel, LiveActor, SpawnOptions } from './kernel.ts';
import { isSupervising } from './supervision-view.ts';
import { CellTimers } from './timers.ts';
import type { TypeStats } from './type-stats.ts';

/** For roots, unless they are supervisors. */
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
  state: ActorState = 'new';
  behaviour: Behaviour<never> | undefined = undefined;
  children: Map<string, LiveActor> | undefined = undefined;
  exitReason: ExitReason | undefined = undefined;
  openAsks: PendingAsk<never> | undefined = undefined;
  #timers: CellTimers | undefined = undefined;
  #abort: AbortController | undefined = undefined;
  #onExit: ((reason: ExitReason) => void)[] | undefined = undefined;
  /** Runs from the moment its end must wait for its own code. */
  #deadline: Timer | undefined = undefined;

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
    this.#timers ??= new CellTimers(this.kernel.clock, () => this.scheduleIfNeeded());
    if (this.exitReason !== undefined) this.#timers.close();
    return this.#timers;
  }

  /** Undefined for an actor that never asked for a timer. */
  protected get openedTimers(): CellTimers | undefined {
    return this.#timers;
  }

  protected abstract readonly self: LiveActor;
  /** Asks for a turn, if something is left to do and none was asked for. */
  protected abstract scheduleIfNeeded(): void;
  /** Marks the begin and end of waiting for a promise of the start or of a handler. */
  protected abstract beginWait(): void;
  protected abstract endWait(): void;
  /** What is undone or unread goes to the dead letters. */
  protected abstract discardMessages(): void;

  // --- Start ---

  protected runStart(): void {
    try {
      const started = this.definition.start(createContext(this.self));
      if (!('then' in started)) return this.#started(started);
      this.beginWait();
      started.then(
        (behaviour) => this.#startSettled(behaviour),
        (error: unknown) => this.#startRejected(error),
      );
    } catch (error) {
      this.failed('start', error);
    }
  }

  #startSettled(behaviour: Behaviour<never>): void {
    if (this.state === 'stopped') return this.#releaseUnwaited(behaviour);
    this.endWait();
    this.#started(behaviour);
  }

  #startRejected(error: unknown): void {
    if (this.state === 'stopped') return;
    this.endWait();
    this.failed('start', error);
  }

  #started(behaviour: Behaviour<never>): void {
    this.behaviour = behaviour;
    this.stats.started += 1;
    // Told to stop while starting: what `start` took must still be released, so the end follows in its own turn.
    if (this.exitReason !== undefined) return;
    this.state = 'running';
    this.options.observer?.started(this.self);
    this.scheduleIfNeeded();
  }

  /** Its own code failed: the incarnation ends. One that is told to stop already ends as it was told. */
  protected failed(messageType: string, thrown: unknown): void {
    const error = toError(thrown);
    this.stats.failures += 1;
    if (this.exitReason === undefined) this.requestStop({ kind: 'crashed', error, messageType });
    else this.kernel.log.warn('actor failed while it stopped', { actor: this.path, message: messageType, error });
  }

  /** What a killed incarnation took, it gives back: its successor may need that very port. Nobody waits for it. */
  #releaseUnwaited(behaviour: Behaviour<never>): void {
    const released = Promise.resolve().then(() => behaviour.stop?.(this.exitReason ?? SHUTDOWN));
    released.catch((error: unknown) => this.#reportStopFailure(error));
  }

  // --- End ---

  requestStop(reason: ExitReason): void {
    if (this.exitReason !== undefined) return;
    this.exitReason = reason;
    this.#abort?.abort();
    this.#timers?.close();
    if (this.state === 'starting' || this.state === 'handling') {
      this.state = 'finishing';
      this.armDeadline();
    } else {
      this.state = 'leaving';
      this.scheduleIfNeeded();
    }
  }

  /** The end itself, in a turn of its own: the behaviour's `stop`, then the farewell. */
  protected runEnd(): void {
    this.state = 'ending';
    try {
      const stopped = this.behaviour?.stop?.(this.exitReason ?? SHUTDOWN);
      if (stopped === undefined) return this.#finish();
      this.armDeadline();
      stopped.then(
        () => this.#finish(),
        (error: unknown) => this.#stopFailed(error),
      );
    } catch (error) {
      this.#stopFailed(error);
    }
  }

  #stopFailed(error: unknown): void {
    if (this.state === 'stopped') return;
    this.#reportStopFailure(error);
    this.#finish();
  }

  #reportStopFailure(error: unknown): void {
    this.stats.failures += 1;
    this.kernel.log.error('actor failed to stop', { actor: this.path, error: toError(error).message });
  }

  kill(why: string, withParent = false): void {
    if (this.state === 'stopped') return;
    const unreleased = this.state === 'ending' ? undefined : this.behaviour;
    this.exitReason = { kind: 'killed', why };
    this.#finish(withParent);
    if (unreleased !== undefined) this.#releaseUnwaited(unreleased);
  }

  protected armDeadline(): void {
    const shutdownMs = this.options.shutdownMs ?? (isSupervising(this.behaviour) ? Infinity : DEFAULT_SHUTDOWN_MS);
    if (this.#deadline !== undefined || shutdownMs === Infinity) return;
    this.#deadline = this.kernel.clock.setTimer(shutdownMs, () => this.kill(`did not stop within ${shutdownMs} ms`));
  }

  /** `withParent`: the parent's end is reported, this one is not. */
  #finish(withParent = false): void {
    if (this.state === 'stopped') return;
    const reason = this.exitReason ?? SHUTDOWN;
    // A supervisor ends its own children; one whose `stop` failed, or that is killed, leaves some behind.
    for (const child of [...(this.children?.values() ?? [])].reverse()) child.kill('its supervisor ended', true);
    if (isAbnormal(reason) && !withParent) this.#report(reason);
    this.state = 'stopped';
    this.#deadline?.cancel();
    this.#abort?.abort();
    this.#timers?.close();
    this.kernel.watchdog.handlerEnded(this.self);
    this.discardMessages();
    this.kernel.asks.targetStopped(this);
    this.stats.live -= 1;
    this.stats.stopped[reason.kind] += 1;
    (this.parent === undefined ? this.kernel.roots : this.parent.openChildren()).delete(this.id);
    for (const notify of this.#onExit ?? []) notify(reason);
    this.options.observer?.exited(this.self, reason);
  }

  /** One report for each end that nobody asked for, of whatever kind of child; what comes of it is its supervisor's line. */
  #report(reason: ExitReason): void {
    this.kernel.log.error('actor crashed', {
      actor: this.path,
      type: this.type,
      incarnation: this.incarnation,
      restarts: this.options.restarts ?? 0,
      exit: describeExit(reason),
      mailboxDepth: this.self.mailboxDepth,
      ...(reason.kind === 'crashed' && { message: reason.messageType, error: reason.error }),
      ...(reason.kind === 'killed' && { message: this.self.inFlight?.messageType }),
    });
  }

  /** Calls back once with the final reason, at once when already stopped. */
  onExit(notify: (reason: ExitReason) => void): void {
    if (this.state === 'stopped') notify(this.exitReason ?? SHUTDOWN);
    else (this.#onExit ??= []).push(notify);
  }

  openChildren(): Map<string, LiveActor> {
    return (this.children ??= new Map<string, LiveActor>());
  }
}
