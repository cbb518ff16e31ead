/** A child as data, the ways to write one down, and the check that every specification passes before anything starts. */
import type { ActorDefinition } from '../actors/kernel/actor.ts';
import { KernelError } from '../actors/kernel/errors.ts';
import type { Backoff } from './backoff.ts';
import type { DynamicChildren } from './dynamic-children.ts';

/** `permanent`: always restarted. `transient`: only after a crash or kill. `temporary`: never. */
export const RESTART_TYPES = ['permanent', 'transient', 'temporary'] as const;
export type RestartType = (typeof RESTART_TYPES)[number];

/** Who restarts with a failed child: itself; all; itself and those started after it. */
export const STRATEGIES = ['oneForOne', 'oneForAll', 'restForOne'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface ChildSpec {
  /** Unique among its siblings; the last part of its path. */
  readonly id: string;
  /** Called for every incarnation, so that none inherits another's state. */
  readonly start: () => ActorDefinition<never> | SupervisorSpec;
  readonly restart: RestartType;
  /** How long its end may take before it is killed; Infinity for supervisors, whose children have deadlines of their own. */
  readonly shutdownMs: number;
  readonly type: 'worker' | 'supervisor';
}

export interface SupervisorSpec {
  readonly strategy: Strategy;
  /** More restarts than this within `periodMs`, and the supervisor gives up and fails upward. */
  readonly intensity: number;
  readonly periodMs: number;
  /** How long a restart waits. Default: DEFAULT_BACKOFF. */
  readonly backoff?: Backoff;
  /** Started in this order, stopped in reverse. */
  readonly children: readonly ChildSpec[];
  /** Children that come and go, all alike, added at run time. Only under oneForOne. */
  readonly dynamic?: DynamicChildren;
}

interface WorkerOptions {
  readonly restart?: RestartType;
  readonly shutdownMs?: number;
}

/** An actor as a child: permanent, with five seconds to stop, unless said otherwise. */
export const worker = <M>(
  id: string,
  definition: ActorDefinition<M> | (() => ActorDefinition<M>),
  { restart = 'permanent', shutdownMs = 5000 }: WorkerOptions = {},
): ChildSpec => ({
  id,
  start: typeof definition === 'function' ? definition : () => definition,
  restart,
  shutdownMs,
  type: 'worker',
});

/** A supervisor as a child: permanent, and never killed by a deadline of its own, unless said otherwise. */
export const supervisor = (
  id: string,
  spec: SupervisorSpec | (() => SupervisorSpec),
  { restart = 'permanent', shutdownMs = Infinity }: WorkerOptions = {},
): ChildSpec => ({
  id,
  start: typeof spec === 'function' ? spec : () => spec,
  restart,
  shutdownMs,
  type: 'supervisor',
});

const CHILD_KEYS: readonly string[] = ['id', 'start', 'restart', 'shutdownMs', 'type'];
const SUPERVISOR_KEYS: readonly string[] = ['strategy', 'intensity', 'periodMs', 'backoff', 'children', 'dynamic'];

/** Throws KernelError ACTOR_SPEC_INVALID with every problem of the specification, unknown keys included. */
export function checkSupervisorSpec(spec: SupervisorSpec): void {
  const problems = [
    ...unknownKeys('supervisor', spec, SUPERVISOR_KEYS),
    ...(STRATEGIES.includes(spec.strategy) ? [] : [`strategy: ${spec.strategy} is none`]),
    ...(Number.isInteger(spec.intensity) && spec.intensity >= 0 ? [] : ['intensity: must be an integer, 0 or more']),
    ...(spec.periodMs > 0 ? [] : ['periodMs: must be above zero']),
    ...(spec.dynamic !== undefined && spec.strategy !== 'oneForOne' ? ['dynamic: needs oneForOne'] : []),
    ...spec.children.flatMap(problemsOfChild),
    ...repeatedIds(spec.children),
  ];
  if (problems.length > 0) throw new KernelError('ACTOR_SPEC_INVALID', problems.join('; '));
}

/** The problems of one child, each naming the child and the key; empty when it is sound. */
export function problemsOfChild(child: ChildSpec): readonly string[] {
  const name = `child ${JSON.stringify(child.id)}`;
  return [
    ...unknownKeys(name, child, CHILD_KEYS),
    ...(typeof child.id === 'string' && child.id !== '' && !child.id.includes('/') ? [] : [`${name}: id is not one`]),
    ...(typeof child.start === 'function' ? [] : [`${name}: start must be a function`]),
    ...(RESTART_TYPES.includes(child.restart) ? [] : [`${name}: restart ${child.restart} is none`]),
    ...(child.shutdownMs >= 0 ? [] : [`${name}: shutdownMs must be 0 or more`]),
    ...(['worker', 'supervisor'].includes(child.type) ? [] : [`${name}: type ${child.type} is none`]),
  ];
}

const unknownKeys = (name: string, value: object, known: readonly string[]): readonly string[] =>
  Object.keys(value)
    .filter((key) => !known.includes(key))
    .map((key) => `${name}: unknown key ${key}`);

const repeatedIds = (children: readonly ChildSpec[]): readonly string[] =>
  children
    .filter((child, index) => children.findIndex(({ id }) => id === child.id) !== index)
    .map(({ id }) => `child ${JSON.stringify(id)}: id is taken by another`);
