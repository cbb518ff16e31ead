/** The programs that Vello starts for itself, as the first child of the tree: up before any role, down after the last. */
import { SERVICE_STOP_MS, serviceActor, type ServiceProcess } from '../actors/services/service-actor.ts';
import { worker, type SupervisorSpec } from './child-spec.ts';

export interface LocalService {
  readonly id: string;
  /** Resolves once the program answers. Called again for every restart. */
  readonly start: () => Promise<ServiceProcess>;
}

/** A program that died is started again, alone: its clients reconnect by themselves. */
export const servicesSpec = (services: readonly LocalService[]): SupervisorSpec => ({
  strategy: 'oneForOne',
  // A program that cannot stay up for a few seconds five times running needs a person.
  intensity: 5,
  periodMs: 60_000,
  children: services.map(({ id, start }) =>
    // Somewhat more than the program itself is given, so that it is the program that is killed and not its actor.
    worker(id, () => serviceActor(id, start), { shutdownMs: SERVICE_STOP_MS + 2_000 }),
  ),
});
