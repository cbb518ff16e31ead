/**
 * A supervisor: an actor that starts its children in order, restarts them as their specification says, stops them in
 * reverse, and fails upward when restarting does not help. It moves by events of its children and never waits for one,
 * so that a child that hangs or keeps failing cannot block it.
 */
import type { ActorDefinition } from '../actors/kernel/actor.ts';
import { liveActorOf } from '../actors/kernel/context.ts';
import { KernelError, toError } from '../actors/kernel/errors.ts';
import { describeExit, isAbnormal, SHUTDOWN, type ExitReason } from '../actors/kernel/exit-reason.ts';
import type { ActorObserver, LiveActor } from '../actors/kernel/kernel.ts';
import { supervisionOf, type SupervisingBehaviour, type SupervisionView } from '../actors/kernel/supervision-view.ts';
import { backoffDelayMs, DEFAULT_BACKOFF, hasRecovered } from './backoff.ts';
import { Child, childView } from './child.ts';
import { checkSupervisorSpec, worker, type SupervisorSpec } from './child-spec.ts';
import type { DynamicChildOptions, DynamicOwner } from './dynamic-children.ts';
import { RestartBudget } from './restart-budget.ts';
import { RestartBudgetExhausted } from './restart-budget-exhausted.ts';
import { concernedBy } from './strategy.ts';

export interface SupervisorTools {
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

/** The actor that runs a specification. Throws KernelError ACTOR_SPEC_INVALID before anything is started. */
export function supervisorDefinition(spec: SupervisorSpec, tools: SupervisorTools): ActorDefinition<never> {
  return definitionOf(spec, tools, () => undefined);
}

function definitionOf(spec: SupervisorSpec, tools: SupervisorTools, up: () => void): ActorDefinition<never> {
  checkSupervisorSpec(spec);
  return {
    type: 'supervisor',
    start(ctx) {
      const supervisor = new Supervisor(liveActorOf(ctx), spec, tools, up);
      supervisor.begin();
      return {
        receive: () => undefined,
        stop: () => supervisor.stop(),
        ready: () => supervisor.unready().length === 0,
        supervision: () => supervisor.view(),
      } satisfies SupervisingBehaviour;
    },
  };
}

class Supervisor implements ActorObserver, DynamicOwner {
  readonly #self: LiveActor;
  readonly #spec: SupervisorSpec;
  readonly #tools: SupervisorTools;
  readonly #up: () => void;
  /** Those of the specification, in start order. */
  readonly #children: readonly Child[];
  readonly #byId: ReadonlyMap<string, Child>;
  readonly #dynamic = new Map<string, Child>();
  readonly #budget: RestartBudget;
  /** Whether each child of the specification has had its chance to start. */
  #hasBegun = false;
  /** Set when it ends its children: called when none is left. */
  #stopped: (() => void) | undefined;
  /** Guards against an event that arrives while another is being acted on. */
  #isAdvancing = false;
  #mustAdvanceAgain = false;

  constructor(self: LiveActor, spec: SupervisorSpec, tools: SupervisorTools, up: () => void) {
    this.#self = self;
    this.#spec = spec;
    this.#tools = tools;
    this.#up = up;
    this.#children = spec.children.map((child) => new Child(child, false));
    this.#byId = new Map(this.#children.map((child) => [child.spec.id, child]));
    this.#budget = new RestartBudget(spec.intensity, spec.periodMs);
  }

  view(): SupervisionView {
    const { strategy, intensity, periodMs } = this.#spec;
    const nowMs = this.#now();
    return {
      strategy,
      intensity,
      periodMs,
      restartsUsed: this.#budget.used(nowMs),
      children: this.#children.map((child) => childView(child, nowMs)),
      unready: this.unready(),
    };
  }

  /** Paths of permanent children that are not up or say that they are not ready, those of nested supervisors included. */
  unready(): readonly string[] {
    return this.#children.flatMap(({ spec, status, actor }) => {
      if (spec.restart !== 'permanent') return [];
      const nested = supervisionOf(actor?.behaviour)?.unready ?? [];
      if (nested.length > 0) return nested;
      const isReady = status === 'up' && (actor?.behaviour?.ready?.() ?? true);
      return isReady ? [] : [`${this.#self.path}/${spec.id}`];
    });
  }

  begin(): void {
    this.#spec.dynamic?.attach(this);
    this.#advance();
  }

  /** Ends all children, last first, and resolves when none is left. */
  stop(): Promise<void> {
    this.#spec.dynamic?.detach(this);
    for (const child of this.#children) child.mustStop = true;
    return new Promise((resolve) => {
      this.#stopped = resolve;
      // Dynamic children are the newest, and equals: they go first, all at once.
      for (const child of this.#dynamic.values()) this.#stopChild(child);
      this.#advance();
    });
  }

  // --- Children report ---

  started(actor: LiveActor): void {
    const child = this.#childOf(actor);
    // A supervisor counts as started when its own children have been: it says so itself.
    if (child !== undefined && child.spec.type === 'worker') this.#childUp(child);
  }

  #childUp(child: Child): void {
    if (child.status !== 'starting') return;
    child.status = 'up';
    child.startedMs = this.#now();
    if (!child.isDynamic) this.#advance();
  }

  exited(actor: LiveActor, reason: ExitReason): void {
    const child = this.#childOf(actor);
    if (child === undefined) return;
    child.actor = undefined;
    // One that was about to be stopped for a sibling's sake ended first: that is one restart, not two.
    const wasAsked = child.status === 'stopping' || child.mustStop;
    // A supervisor that is told to stop, gives up or is killed takes its children along: none of them restarts.
    if (wasAsked || this.#isEnding) this.#stoppedAsAsked(child);
    else this.#endedByItself(child, reason);
    // A dynamic child concerns nobody but the supervisor's own end: twenty thousand of them cost one step each.
    if (!child.isDynamic || this.#dynamic.size === 0) this.#advance();
  }

  get #isEnding(): boolean {
    return this.#self.exitReason !== undefined;
  }

  #stoppedAsAsked(child: Child): void {
    child.status = child.spec.restart === 'temporary' ? 'ended' : 'waiting';
    child.mustStop = false;
    this.#forgetIfDynamic(child);
  }

  #endedByItself(child: Child, reason: ExitReason): void {
    const { restart } = child.spec;
    if (restart === 'temporary' || (restart === 'transient' && !isAbnormal(reason))) {
      child.status = 'ended';
      this.#forgetIfDynamic(child);
      return;
    }
    if (this.#budget.spend(this.#now())) this.#scheduleRestart(child, reason);
    else this.#giveUp(child, reason);
  }

  #giveUp(child: Child, reason: ExitReason): void {
    const { intensity, periodMs } = this.#spec;
    const detail = `${this.#self.path}/${child.spec.id}: more than ${intensity} restarts in ${periodMs} ms`;
    const cause = reason.kind === 'crashed' ? reason.error : describeExit(reason);
    this.#self.stats.budgetsExhausted += 1;
    this.#self.requestStop({ kind: 'crashed', error: new RestartBudgetExhausted(detail, cause) });
  }

  // --- Restart ---

  #scheduleRestart(child: Child, reason: ExitReason): void {
    const backoff = this.#spec.backoff ?? DEFAULT_BACKOFF;
    const wasUp = child.status === 'up';
    if (wasUp && hasRecovered(backoff, this.#now() - child.startedMs, child.lastDelayMs)) child.failures = 0;
    const delayMs = backoffDelayMs(backoff, child.failures, this.#tools.random());
    child.failures += 1;
    child.lastDelayMs = delayMs;
    this.#self.kernel.log.warn('actor restarts', {
      actor: `${this.#self.path}/${child.spec.id}`,
      exit: describeExit(reason),
      delayMs,
      failures: child.failures,
    });
    this.#stopConcerned(child);
    this.#wait(child, delayMs);
  }

  /** Siblings that must restart with it. A transient one that had ended starts again too, as under OTP. */
  #stopConcerned(child: Child): void {
    const index = this.#children.indexOf(child);
    if (index < 0) return;
    for (const position of concernedBy(this.#spec.strategy, index, this.#children.length)) {
      const sibling = this.#children[position];
      if (sibling === undefined || sibling === child) continue;
      if (sibling.status === 'ended' && sibling.spec.restart !== 'temporary') sibling.status = 'waiting';
      else sibling.mustStop = sibling.status !== 'ended';
    }
  }

  #wait(child: Child, delayMs: number): void {
    child.status = delayMs > 0 ? 'backoff' : 'waiting';
    if (delayMs === 0) return this.#restartIfDynamic(child);
    child.dueMs = this.#now() + delayMs;
    child.timer = this.#self.kernel.clock.setTimer(delayMs, () => {
      child.timer = undefined;
      if (child.status !== 'backoff') return;
      child.status = 'waiting';
      if (child.isDynamic) this.#restartIfDynamic(child);
      else this.#advance();
    });
  }

  #restartIfDynamic(child: Child): void {
    if (child.isDynamic) this.#startChild(child);
  }

  // --- The next step ---

  #advance(): void {
    this.#mustAdvanceAgain = true;
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    while (this.#mustAdvanceAgain) {
      this.#mustAdvanceAgain = false;
      if (this.#stopNext()) this.#startNext();
    }
    this.#isAdvancing = false;
  }

  /** Stops one more child, the last first. True when none is left to stop. */
  #stopNext(): boolean {
    if (this.#stopped !== undefined && this.#dynamic.size > 0) return false;
    for (let index = this.#children.length - 1; index >= 0; index -= 1) {
      const child = this.#children[index];
      if (child?.mustStop === true && this.#stopChild(child)) return false;
    }
    this.#stopped?.();
    return true;
  }

  /** True when it is on its way and must be waited for. */
  #stopChild(child: Child): boolean {
    if (child.actor === undefined) {
      child.timer?.cancel();
      this.#stoppedAsAsked(child);
      return false;
    }
    if (child.status !== 'stopping') {
      child.status = 'stopping';
      child.actor.requestStop(SHUTDOWN);
    }
    return true;
  }

  /** In order: the first time each waits for those before it, later only where the strategy ties them together. */
  #startNext(): void {
    const { strategy } = this.#spec;
    const isTied = strategy !== 'oneForOne';
    if (strategy === 'oneForAll' && this.#children.some(({ status }) => status === 'backoff')) return;
    for (const child of this.#children) {
      if (child.status === 'waiting' && !this.#isEnding) this.#startChild(child);
      if ((isTied || !this.#hasBegun) && !this.#letsNextStart(child)) return;
    }
    if (this.#hasBegun || this.#isEnding) return;
    this.#hasBegun = true;
    this.#up();
  }

  /** One for one, a child that failed has had its chance: those after it do not depend on it. */
  #letsNextStart({ status, failures }: Child): boolean {
    return status === 'up' || status === 'ended' || (this.#spec.strategy === 'oneForOne' && failures > 0);
  }

  #startChild(child: Child): void {
    child.status = 'starting';
    child.starts += 1;
    try {
      const started = child.spec.start();
      const isSupervisor = 'strategy' in started;
      const definition = isSupervisor ? definitionOf(started, this.#tools, () => this.#childUp(child)) : started;
      child.actor = this.#self.kernel.spawnUnder(this.#self, child.spec.id, definition, {
        observer: this,
        shutdownMs: child.spec.shutdownMs,
        restarts: child.starts - 1,
      });
      if (child.starts > 1) child.actor.stats.restarts += 1;
    } catch (error) {
      this.#endedByItself(child, { kind: 'crashed', error: toError(error) });
      this.#mustAdvanceAgain = true;
    }
  }

  // --- Dynamic children ---

  get dynamicCount(): number {
    return this.#dynamic.size;
  }

  findDynamic(id: string): LiveActor | undefined {
    return this.#dynamic.get(id)?.actor;
  }

  startDynamic(id: string, start: () => ActorDefinition<never>, options: DynamicChildOptions): LiveActor {
    const taken = this.#dynamic.has(id) || this.#byId.has(id);
    if (taken) throw new KernelError('ACTOR_ID_TAKEN', `${this.#self.path}/${id} is running already`);
    const child = new Child(worker(id, start, { restart: 'temporary', ...options }), true);
    child.status = 'starting';
    child.starts = 1;
    child.actor = this.#self.kernel.spawnUnder(this.#self, id, start(), {
      observer: this,
      shutdownMs: child.spec.shutdownMs,
    });
    this.#dynamic.set(id, child);
    return child.actor;
  }

  stopDynamic(id: string): void {
    const child = this.#dynamic.get(id);
    if (child !== undefined) this.#stopChild(child);
  }

  #forgetIfDynamic(child: Child): void {
    if (child.isDynamic) this.#dynamic.delete(child.spec.id);
  }

  // --- Helpers ---

  /** The child whose present incarnation this is; a late report of an earlier one is nobody's. */
  #childOf(actor: LiveActor): Child | undefined {
    const child = this.#dynamic.get(actor.id) ?? this.#byId.get(actor.id);
    return child?.actor === actor ? child : undefined;
  }

  #now(): number {
    return this.#self.kernel.clock.monotonicMs();
  }
}
