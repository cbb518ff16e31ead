/** The admin listener's routes: metrics, health and the tree of actors. For operators and probes, on an address of its own. */
import type { ActorSystem } from '../../actors/kernel/actor-system.ts';
import { VelloError } from '../../config/errors.ts';
import type { PrometheusMetrics } from '../telemetry/prometheus-metrics.ts';
import type { HttpServer } from './server.ts';

export interface AdminParts {
  readonly system: ActorSystem;
  readonly metrics: PrometheusMetrics;
  readonly readiness: () => { readonly isReady: boolean; readonly waitingFor: readonly string[] };
}

const FRESH = { 'Cache-Control': 'no-store' } as const;

export function addAdminRoutes(server: HttpServer, { system, metrics, readiness }: AdminParts): void {
  server.route('GET', '/metrics', async () => ({
    status: 200,
    headers: { ...FRESH, 'Content-Type': metrics.contentType },
    body: await metrics.expose(),
  }));

  // Alive means that the event loop turns: whoever gets this answer has the proof.
  server.route('GET', '/health/live', () => ({ status: 200, headers: FRESH, body: { status: 'alive' } }));

  server.route('GET', '/health/ready', () => {
    const { isReady, waitingFor } = readiness();
    const body = { status: isReady ? 'ready' : 'not_ready', waiting_for: waitingFor };
    return { status: isReady ? 200 : 503, headers: FRESH, body };
  });

  server.route('GET', '/actors', ({ query }) => {
    const path = query.get('path');
    const snapshot = path === null ? system.snapshot() : system.snapshotOf(path);
    if (snapshot === undefined) throw new VelloError('NOT_FOUND', 'No actor lives at that path.');
    return { status: 200, headers: FRESH, body: snapshot };
  });
}
