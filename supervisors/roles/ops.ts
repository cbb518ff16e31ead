/** What lets people look in: process metrics and the admin listener. It starts last, and its failure never takes the rest down. */
import type { ActorSystem } from '../../actors/kernel/actor-system.ts';
import type { Settings } from '../../config/settings.ts';
import { addAdminRoutes, type AdminView } from '../../transports/http/admin/admin.ts';
import { listener } from '../../transports/http/server/listener.ts';
import type { HttpServer } from '../../transports/http/server/server.ts';
import { processMetrics } from '../../transports/telemetry/process-metrics.ts';
import type { PrometheusMetrics } from '../../transports/telemetry/prometheus-metrics.ts';
import { worker, type SupervisorSpec } from '../child-spec.ts';
import type { Drain } from '../drain.ts';
import type { CommonParts } from '../foundation.ts';
import { readinessOf } from '../health.ts';
import { ROOT } from '../root.ts';

export interface OpsParts extends CommonParts {
  readonly metrics: PrometheusMetrics;
  readonly system: ActorSystem;
  readonly drain: Drain;
}

/** This process alone. */
const ownView = ({ system, metrics, drain }: OpsParts): AdminView => ({
  metrics,
  actors: async (path) => (path === undefined ? system.snapshot() : system.snapshotOf(path)),
  readiness: () => readinessOf(system, ROOT, drain),
});

/** A probe's answer takes milliseconds; a slow dashboard need not hold up the end. */
const GRACE_MS = 500;

export function opsRole(
  parts: OpsParts,
  settings: Pick<Settings, 'adminListen' | 'adminHosts'>,
  view = ownView(parts),
): SupervisorSpec {
  const { clock, log, metrics } = parts;
  const { adminListen: address } = settings;
  const names = [address.host, ...(settings.adminHosts ?? '').split(',')];
  const hosts = names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '');
  const serve = (server: HttpServer) => {
    addAdminRoutes(server, view, hosts);
    return {};
  };
  const inner = innerOpsRole(metrics);
  return {
    ...inner,
    children: [
      ...inner.children,
      worker('listener', listener({ listener: 'admin', address, drainMs: GRACE_MS, clock, log, metrics, serve })),
    ],
  };
}

/** Of a process that is looked into through another one. */
export const innerOpsRole = (metrics: PrometheusMetrics): SupervisorSpec => ({
  strategy: 'oneForOne',
  // With at least a second between two restarts this budget cannot be used up.
  intensity: 120,
  periodMs: 60_000,
  backoff: { baseMs: 1_000, maxMs: 30_000, factor: 2, jitter: 0.3, resetAfterMs: 60_000 },
  children: [worker('process-metrics', () => processMetrics(metrics))],
});
