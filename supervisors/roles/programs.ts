/** The programs that Vello starts for itself, as the first child of the tree: up before any role, down after the last. */
import { PROGRAM_STOP_MS, programActor, type Program } from '../../actors/programs/program-actor.ts';
import { worker, type SupervisorSpec } from '../child-spec.ts';

export interface OwnProgram {
  readonly id: string;
  /** Resolves once the program answers. Called again for every restart. */
  readonly start: () => Promise<Program>;
}

/** A program that died is started again, alone: its clients reconnect by themselves. */
export const programsRole = (programs: readonly OwnProgram[]): SupervisorSpec => ({
  strategy: 'oneForOne',
  // A program that cannot stay up for a few seconds five times running needs a person.
  intensity: 5,
  periodMs: 60_000,
  children: programs.map(({ id, start }) =>
    // Somewhat more than the program itself is given, so that it is the program that is killed and not its actor.
    worker(id, () => programActor(id, start), { shutdownMs: PROGRAM_STOP_MS + 2_000 }),
  ),
});
