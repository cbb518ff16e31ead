/** What lets people look in: process metrics and the admin listener. It starts last, and its failure never takes the rest down. */
import type { ActorSystem } from '../../actors/kernel/actor-system.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Settings } from '../../config/settings.ts';
import { adminListener } from '../../transports/http/admin/admin-listener.ts';
import { processMetrics } from '../../transports/telemetry/process-metrics.ts';
import type { PrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { worker, type SupervisorSpec } from '../child-spec.ts';
import type { Drain } from '../drain.ts';
import { readinessOf } from '../health.ts';
import { ROOT } from '../root.ts';

export interface OpsParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: PrometheusMetrics;
  readonly system: ActorSystem;
  readonly drain: Drain;
}

export function opsRole(parts: OpsParts, settings: Pick<Settings, 'adminListen' | 'adminHosts'>): SupervisorSpec {
  const { system, metrics, drain } = parts;
  const readiness = () => readinessOf(system, ROOT, drain);
  const names = [settings.adminListen.host, ...(settings.adminHosts ?? '').split(',')];
  const hosts = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  return {
    strategy: 'oneForOne',
    // With at least a second between two restarts this budget cannot be used up.
    intensity: 120,
    periodMs: 60_000,
    backoff: { baseMs: 1_000, maxMs: 30_000, factor: 2, jitter: 0.3, resetAfterMs: 60_000 },
    children: [
      worker('process-metrics', () => processMetrics(metrics)),
      worker('listener', () => adminListener({ ...parts, readiness, hosts, address: settings.adminListen })),
    ],
  };
}
