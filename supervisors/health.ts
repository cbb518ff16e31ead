/** Whether the process can do its work, read off the supervision tree at the moment somebody asks. */
import type { LiveActor } from '../actors/kernel/kernel.ts';
import { supervisionOf } from '../actors/kernel/supervision-view.ts';
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import type { Drain } from './drain.ts';

export interface Readiness {
  readonly isReady: boolean;
  /** Why not: paths of permanent children that are not started or not ready, or `draining`. */
  readonly waitingFor: readonly string[];
  /** What those say of it that can, by path. */
  readonly problems: Readonly<Record<string, string>>;
}

/** Green once every permanent child of the tree under `rootPath` is started and says that it is ready; red while draining. */
export function readinessOf(system: ActorSystem, rootPath: string, drain: Drain): Readiness {
  const root = system.resolve<never>(rootPath) as LiveActor | undefined;
  const waitingFor = [
    ...(drain.isDraining ? ['draining'] : []),
    ...(root === undefined ? [rootPath] : (supervisionOf(root.behaviour)?.unready ?? [rootPath])),
  ];
  return { isReady: waitingFor.length === 0, waitingFor, problems: problemsOf(system, waitingFor) };
}

/** The fact `problem` of each that lives and has one. */
function problemsOf(system: ActorSystem, paths: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    paths.flatMap((path) => {
      const problem = system.snapshotOf(path)?.facts?.['problem'];
      return typeof problem === 'string' ? [[path, problem]] : [];
    }),
  );
}
