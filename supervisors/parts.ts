/** Chooses the implementation of each port and composes the roles from them. The only place that does. */
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { Log } from '../actors/ports/log.ts';
import type { Settings } from '../config/settings.ts';
import type { PrometheusMetrics } from '../transports/telemetry/prometheus-metrics.ts';
import type { ModelFiles } from '../transports/speech/fetch-model.ts';
import type { SupervisorSpec } from './child-spec.ts';
import type { Drain } from './drain.ts';
import { opsRole } from './roles/ops.ts';
import type { Role } from './root.ts';

/** What is settled before the tree starts. */
export interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: PrometheusMetrics;
  readonly system: ActorSystem;
  readonly drain: Drain;
  /** As administrator of the database; roles log in with passwords derived from `secretKey`. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly secretKey: string;
  readonly inferenceKey: string;
  /** The verified files of the speech model, fetched before the tree starts. */
  readonly model: () => Promise<ModelFiles>;
}

/** The chosen roles, and `ops`, which belongs to every process. */
export function composeRoles(
  foundation: Foundation,
  _chosen: readonly string[],
): Partial<Record<Role, SupervisorSpec>> {
  return { ops: opsRole(foundation, foundation.settings) };
}
