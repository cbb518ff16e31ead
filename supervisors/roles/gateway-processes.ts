/** The gateway as several processes that share its port: an actor for each, and one that replaces them one by one. */
import {
  gatewayProcessActor,
  type GatewayDirectory,
  type GatewayProcess,
  type GatewayProcessMessage,
} from '../../actors/programs/gateway-process.ts';
import { renewalActor, type Renewals } from '../../actors/programs/renewal.ts';
import type { ActorSystem } from '../../actors/kernel/actor-system.ts';
import type { DrainPlan } from '../../actors/ports/drain.ts';
import type { Settings } from '../../config/settings.ts';
import { worker, type SupervisorSpec } from '../child-spec.ts';
import { ROOT } from '../root.ts';

export interface GatewayProcessesParts {
  readonly system: ActorSystem;
  readonly drain: DrainPlan;
  readonly count: number;
  readonly start: (id: string, signal: AbortSignal) => Promise<GatewayProcess>;
  /** Whether one that is gone left something that waits for the next to start. */
  readonly isOwed: () => boolean;
  readonly directory: GatewayDirectory;
  readonly onRenewal: (renewals: Renewals) => void;
}

/** A process stops its tree after its drain. */
const AFTER_DRAIN_MS = 5_000;
/** What ends a process's actor is to be the process. */
const MARGIN_MS = 2_000;

/** For all of them together, since they end together. */
export const drainOfProcessesMs = (drainMs: number): number => drainMs + AFTER_DRAIN_MS + MARGIN_MS;

export const RENEWAL = `${ROOT}/gateway/renewal`;

export function gatewayProcessesRole(
  { system, drain, count, start, isOwed, directory, onRenewal }: GatewayProcessesParts,
  settings: Pick<Settings, 'drainMs'>,
): SupervisorSpec {
  const graceMs = settings.drainMs + AFTER_DRAIN_MS;
  const ids = Array.from({ length: count }, (_, index) => `process-${index + 1}`);
  return {
    strategy: 'oneForOne',
    // One that does not stay up must not take along those that do: with the waits between two starts this budget cannot be used up.
    intensity: 120 * count,
    periodMs: 60_000,
    backoff: { baseMs: 500, maxMs: 10_000, factor: 2, jitter: 0.3, resetAfterMs: 30_000 },
    children: [
      ...ids.map((id) =>
        worker(id, () => gatewayProcessActor({ id, start: (signal) => start(id, signal), directory, drain, graceMs }), {
          shutdownMs: graceMs + MARGIN_MS,
        }),
      ),
      worker('renewal', () =>
        renewalActor({
          paths: ids.map((id) => `${ROOT}/gateway/${id}`),
          resolve: (path) => system.resolve<GatewayProcessMessage>(path),
          ...{ isOwed, graceMs, onChange: onRenewal },
        }),
      ),
    ],
  };
}
