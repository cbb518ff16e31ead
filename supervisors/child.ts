/** What a supervisor remembers of one child between and during its incarnations. */
import type { LiveActor } from '../actors/kernel/kernel.ts';
import type { ChildStatus, ChildView } from '../actors/kernel/supervision-view.ts';
import type { Timer } from '../actors/ports/clock.ts';
import type { ChildSpec } from './child-spec.ts';

export class Child {
  readonly spec: ChildSpec;
  readonly isDynamic: boolean;
  status: ChildStatus = 'waiting';
  actor: LiveActor | undefined = undefined;
  /** Told to stop as soon as those after it have. */
  mustStop = false;
  starts = 0;
  /** Consecutive failures, for the backoff. */
  failures = 0;
  lastDelayMs = 0;
  startedMs = 0;
  /** When its backoff ends. */
  dueMs = 0;
  timer: Timer | undefined = undefined;

  constructor(spec: ChildSpec, isDynamic: boolean) {
    this.spec = spec;
    this.isDynamic = isDynamic;
  }
}

export const childView = (child: Child, nowMs: number): ChildView => ({
  id: child.spec.id,
  restart: child.spec.restart,
  status: child.status,
  restarts: Math.max(0, child.starts - 1),
  backoffMs: child.status === 'backoff' ? Math.max(0, Math.round(child.dueMs - nowMs)) : 0,
});
