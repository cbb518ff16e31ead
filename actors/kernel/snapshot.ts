/**
 * The tree of living actors as plain data, for `/actors`. Nothing is kept for it: all is read when somebody asks.
 * Many siblings of one type are shown as one line, so that the answer stays small whatever the number of sessions.
 */
import { DEAD_LETTER_REASONS, type DeadLetter } from './dead-letters.ts';
import { toError } from './errors.ts';
import type { ActorState, Kernel, LiveActor } from './kernel.ts';
import { supervisionOf, type ChildView } from './supervision-view.ts';

export type ActorStatus = 'waiting' | 'starting' | 'running' | 'busy' | 'stuck' | 'stopping' | 'backoff' | 'ended';

export interface ActorSnapshot {
  readonly id: string;
  readonly path: string;
  readonly status: ActorStatus;
  /** Absent while there is no incarnation. */
  readonly type?: string;
  readonly incarnation?: number;
  readonly mailboxDepth?: number;
  readonly handling?: { readonly message: string; readonly elapsedMs: number };
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
  /** For children of a supervisor's specification. */
  readonly restart?: string;
  readonly restarts?: number;
  readonly backoffMs?: number;
  /** For supervisors. */
  readonly supervision?: {
    readonly strategy: string;
    readonly intensity: number;
    readonly periodMs: number;
    readonly restartsUsed: number;
  };
  readonly children?: readonly ActorSnapshot[];
  readonly groups?: readonly ActorGroupSnapshot[];
}

/** Siblings of one type, too many to list. */
export interface ActorGroupSnapshot {
  readonly type: string;
  readonly count: number;
  readonly byStatus: Readonly<Partial<Record<ActorStatus, number>>>;
  readonly deepestMailbox: { readonly id: string; readonly depth: number };
  readonly longestHandler?: { readonly id: string; readonly message: string; readonly elapsedMs: number };
}

export interface SystemSnapshot {
  /** Unix milliseconds. */
  readonly capturedAt: number;
  readonly uptimeMs: number;
  readonly liveActors: number;
  readonly deadLetters: { readonly counts: Readonly<Record<string, number>>; readonly recent: readonly DeadLetter[] };
  readonly tree: readonly ActorSnapshot[];
}

const OUTSIDE_WORK: Readonly<Record<Exclude<ActorState, 'running' | 'handling'>, ActorStatus>> = {
  new: 'starting',
  starting: 'starting',
  finishing: 'stopping',
  leaving: 'stopping',
  ending: 'stopping',
  stopped: 'ended',
};

/** More siblings of one type than this become a group. */
const LISTED_SIBLINGS = 24;
/** A handler is Busy from three times its type's 99th percentile on, and never before this. */
const BUSY_MS = 100;

export function takeSnapshot(kernel: Kernel, startedMs: number, listedSiblings = LISTED_SIBLINGS): SystemSnapshot {
  const camera = new Camera(kernel, listedSiblings);
  const counts = Object.fromEntries(DEAD_LETTER_REASONS.map((reason) => [reason, kernel.deadLetters.counts[reason]]));
  return {
    capturedAt: kernel.clock.now(),
    uptimeMs: Math.round(kernel.clock.monotonicMs() - startedMs),
    liveActors: kernel.liveActors,
    deadLetters: { counts, recent: kernel.deadLetters.recent() },
    tree: [...kernel.roots.values()].map((root) => camera.actor(root)),
  };
}

/** One actor and what is below it; its own children are all listed. */
export function takeActorSnapshot(kernel: Kernel, actor: LiveActor, listedSiblings: number): ActorSnapshot {
  return new Camera(kernel, listedSiblings).actor(actor);
}

class Camera {
  readonly #nowMs: number;
  readonly #listedSiblings: number;
  readonly #busyMs = new Map<string, number>();

  constructor(kernel: Kernel, listedSiblings: number) {
    this.#nowMs = kernel.clock.monotonicMs();
    this.#listedSiblings = listedSiblings;
  }

  actor(actor: LiveActor, asChild?: ChildView): ActorSnapshot {
    const { behaviour, inFlight } = actor;
    const view = supervisionOf(behaviour);
    const facts = factsOf(behaviour);
    return {
      id: actor.id,
      path: actor.path,
      status: this.#statusOf(actor),
      type: actor.type,
      incarnation: actor.incarnation,
      mailboxDepth: actor.mailboxDepth,
      ...(inFlight && { handling: { message: inFlight.messageType, elapsedMs: this.#elapsedMs(inFlight.sinceMs) } }),
      ...(facts && { facts }),
      ...(asChild && { restart: asChild.restart, restarts: asChild.restarts }),
      ...(view && {
        supervision: {
          strategy: view.strategy,
          intensity: view.intensity,
          periodMs: view.periodMs,
          restartsUsed: view.restartsUsed,
        },
      }),
      ...this.#below(actor, view?.children ?? []),
    };
  }

  /** First the specification's children in start order, present or not; then the others, by type where they are many. */
  #below(actor: LiveActor, views: readonly ChildView[]): Pick<ActorSnapshot, 'children' | 'groups'> {
    const living = actor.children;
    const children = views.map((view) => {
      const child = living?.get(view.id);
      return child === undefined ? this.#absent(actor, view) : this.actor(child, view);
    });
    const specified = new Set(views.map(({ id }) => id));
    const byType = new Map<string, LiveActor[]>();
    for (const child of living?.values() ?? []) {
      if (specified.has(child.id)) continue;
      const siblings = byType.get(child.type);
      if (siblings === undefined) byType.set(child.type, [child]);
      else siblings.push(child);
    }
    const groups: ActorGroupSnapshot[] = [];
    for (const [type, siblings] of byType) {
      if (siblings.length > this.#listedSiblings) groups.push(this.#group(type, siblings));
      else children.push(...siblings.map((child) => this.actor(child)));
    }
    return { ...(children.length > 0 && { children }), ...(groups.length > 0 && { groups }) };
  }

  #absent(parent: LiveActor, view: ChildView): ActorSnapshot {
    return {
      id: view.id,
      path: `${parent.path}/${view.id}`,
      status: view.status === 'up' ? 'running' : view.status,
      restart: view.restart,
      restarts: view.restarts,
      ...(view.status === 'backoff' && { backoffMs: view.backoffMs }),
    };
  }

  #group(type: string, siblings: readonly LiveActor[]): ActorGroupSnapshot {
    const byStatus: Partial<Record<ActorStatus, number>> = {};
    let deepest = siblings[0];
    let longest: LiveActor | undefined;
    for (const actor of siblings) {
      const status = this.#statusOf(actor);
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      if (deepest === undefined || actor.mailboxDepth > deepest.mailboxDepth) deepest = actor;
      const sinceMs = actor.inFlight?.sinceMs;
      if (sinceMs !== undefined && sinceMs < (longest?.inFlight?.sinceMs ?? Infinity)) longest = actor;
    }
    const handler = longest?.inFlight;
    return {
      type,
      count: siblings.length,
      byStatus,
      deepestMailbox: { id: deepest?.id ?? '', depth: deepest?.mailboxDepth ?? 0 },
      ...(longest &&
        handler && {
          longestHandler: { id: longest.id, message: handler.messageType, elapsedMs: this.#elapsedMs(handler.sinceMs) },
        }),
    };
  }

  #statusOf(actor: LiveActor): ActorStatus {
    if (actor.isStuck) return 'stuck';
    const { state, inFlight } = actor;
    if (state !== 'running' && state !== 'handling') return OUTSIDE_WORK[state];
    return inFlight !== undefined && this.#nowMs - inFlight.sinceMs > this.#busyLimitMs(actor) ? 'busy' : 'running';
  }

  #busyLimitMs(actor: LiveActor): number {
    let limitMs = this.#busyMs.get(actor.type);
    if (limitMs === undefined) {
      actor.stats.settle();
      limitMs = Math.max(BUSY_MS, 3 * actor.stats.handler.quantileMs(0.99));
      this.#busyMs.set(actor.type, limitMs);
    }
    return limitMs;
  }

  #elapsedMs(sinceMs: number): number {
    return Math.max(0, Math.round(this.#nowMs - sinceMs));
  }
}

/** What a behaviour says of itself; where that throws, the rest of the tree is shown all the same. */
function factsOf(behaviour: LiveActor['behaviour']): ActorSnapshot['facts'] {
  try {
    return behaviour?.describe?.();
  } catch (error) {
    return { describeFailed: toError(error).message };
  }
}
