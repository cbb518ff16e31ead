/** How a supervisor shows itself to snapshots and health checks: plain data, made when somebody asks. */
import type { Behaviour } from './actor.ts';

/** `backoff`: waits to be restarted. `ended`: will not be restarted. The others as for any actor. */
export type ChildStatus = 'waiting' | 'starting' | 'up' | 'stopping' | 'backoff' | 'ended';

export interface ChildView {
  readonly id: string;
  readonly restart: string;
  readonly status: ChildStatus;
  readonly restarts: number;
  /** Until the next try; 0 unless in backoff. */
  readonly backoffMs: number;
}

export interface SupervisionView {
  readonly strategy: string;
  readonly intensity: number;
  readonly periodMs: number;
  /** Restarts that count against `intensity` right now. */
  readonly restartsUsed: number;
  /** Those of the specification, in start order. Children added at run time are found among the actor's own. */
  readonly children: readonly ChildView[];
  /** Why the supervisor is not ready: paths of permanent children that are not up or not ready. Empty: ready. */
  readonly unready: readonly string[];
}

/** Its `stop` ends the children itself, in its own order and each within its own deadline. */
export interface SupervisingBehaviour extends Behaviour<never> {
  supervision(): SupervisionView;
}

export const isSupervising = (behaviour: Behaviour<never> | undefined): behaviour is SupervisingBehaviour =>
  behaviour !== undefined && 'supervision' in behaviour;

/** The supervisor's view of itself; undefined for any other actor. */
export const supervisionOf = (behaviour: Behaviour<never> | undefined): SupervisionView | undefined =>
  isSupervising(behaviour) ? behaviour.supervision() : undefined;
