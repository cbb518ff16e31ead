/** The admin listener's routes: metrics, health and the tree of actors. For operators and probes, on an address of its own. */
import { isIP } from 'node:net';
import type { ActorSnapshot, SystemSnapshot } from '../../../actors/kernel/snapshot.ts';
import { VelloError } from '../../../config/errors.ts';
import type { PrometheusMetrics } from '../../telemetry/prometheus-metrics.ts';
import type { HttpServer } from '../server/server.ts';

/** What there is to see of a process, or of several that serve as one. */
export interface AdminView {
  readonly metrics: Pick<PrometheusMetrics, 'contentType' | 'expose'>;
  /** The whole tree, or one actor with what is below it; undefined where there is none. */
  actors(path: string | undefined): Promise<SystemSnapshot | ActorSnapshot | undefined>;
  readiness(): {
    readonly isReady: boolean;
    readonly waitingFor: readonly string[];
    /** Why, by path, where it is known. */
    readonly problems: Readonly<Record<string, string>>;
  };
}

const FRESH = { 'Cache-Control': 'no-store' } as const;

/** @param hosts names beside `localhost` and plain addresses under which the listener may be asked for */
export function addAdminRoutes(listening: HttpServer, view: AdminView, hosts: readonly string[]): void {
  const server: Pick<HttpServer, 'route'> = {
    route: (method, pattern, handler) =>
      listening.route(method, pattern, (request) => {
        requireKnownHost(request.header('host'), hosts);
        return handler(request);
      }),
  };
  server.route('GET', '/metrics', async () => ({
    status: 200,
    headers: { ...FRESH, 'Content-Type': view.metrics.contentType },
    body: await view.metrics.expose(),
  }));

  // Alive means that the event loop turns: whoever gets this answer has the proof.
  server.route('GET', '/health/live', () => ({ status: 200, headers: FRESH, body: { status: 'alive' } }));

  server.route('GET', '/health/ready', () => {
    const { isReady, waitingFor, problems } = view.readiness();
    const body = { status: isReady ? 'ready' : 'not_ready', waiting_for: waitingFor, problems };
    return { status: isReady ? 200 : 503, headers: FRESH, body };
  });

  server.route('GET', '/actors', async ({ query }) => {
    const snapshot = await view.actors(query.get('path') ?? undefined);
    if (snapshot === undefined) throw new VelloError('NOT_FOUND', 'No actor lives at that path.');
    return { status: 200, headers: FRESH, body: snapshot };
  });
}

/**
 * A page on the web can point a name of its own at this address and read what is answered (DNS rebinding). It cannot do so with an
 * address, nor with a name that it does not own.
 */
function requireKnownHost(header: string, hosts: readonly string[]): void {
  const host = header
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  if (isIP(host) !== 0 || host === 'localhost' || hosts.includes(host)) return;
  throw new VelloError('BAD_REQUEST', 'This is asked for under a name that VELLO_ADMIN_HOSTS does not hold.');
}
