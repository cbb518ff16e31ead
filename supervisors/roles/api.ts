/**
 * The api role: what it stands on, what keeps that current, the sessions of its desktops and, last, the listener. Whatever restarts takes what
 * stands after it along, because that was made from it.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import type { RevocationScope } from '../../actors/ports/grants.ts';
import type { DrainPlan } from '../../actors/ports/drain.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { type StoreLogins, loginWatch } from '../../actors/programs/login-watch.ts';
import { createDeviceFollowers } from '../../actors/sessions/device-followers.ts';
import { noticeFollower } from '../../actors/sessions/notice-follower.ts';
import { createSessionDirectory } from '../../actors/sessions/session-directory.ts';
import type { Settings } from '../../config/settings.ts';
import { apiListener, type ApiSurface } from '../../transports/http/api/api-listener.ts';
import { apiDocumentationRoutes } from '../../transports/http/routes/api-documentation.ts';
import { PROVIDER_ROUTES } from '../../transports/proxy/described-routes.ts';
import { DESKTOP_ROUTE } from '../../transports/websocket/desktop-route.ts';
import { createDesktopEndpoint, type DesktopEndpoint } from '../../transports/websocket/desktop-endpoint.ts';
import type { ApiStores } from '../api-stores.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import { desktopSessions } from '../desktop-sessions.ts';
import { opened } from '../opened.ts';

export interface ApiParts {
  /** `onRevoked` is told of each revocation, so that open sockets end. */
  readonly open: (onRevoked: (scope: RevocationScope) => void) => Promise<ApiStores>;
  /** Of the database. */
  readonly logins: StoreLogins;
  readonly clock: Clock;
  readonly drain: DrainPlan;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Of this build, for the api's description. */
  readonly version: string;
}

export type ApiSettings = Pick<Settings, 'apiListen' | 'trustProxy' | 'drainMs'>;

export function apiRole(parts: ApiParts, settings: ApiSettings): SupervisorSpec {
  const { clock, drain, log, metrics, random, version } = parts;
  let sockets: DesktopEndpoint | undefined;
  const stores = opened('api-stores', () => parts.open((scope) => sockets?.revoke(scope)));
  const sessions = desktopSessions();
  const followers = createDeviceFollowers();
  const surface = (): ApiSurface => {
    const { auth, messages, bus, routes, guards } = stores.use();
    const directory = createSessionDirectory(sessions.shards, { auth, messages, bus, followers, metrics, random });
    sockets = createDesktopEndpoint({ auth, directory, clock, log, metrics });
    return {
      routes: [...routes, ...apiDocumentationRoutes([...routes, DESKTOP_ROUTE, ...PROVIDER_ROUTES], version)],
      guards,
      sockets,
    };
  };
  const listener = apiListener({
    address: settings.apiListen,
    trustProxy: settings.trustProxy,
    drainMs: settings.drainMs,
    ...{ drain, clock, log, metrics, surface },
  });
  return {
    strategy: 'restForOne',
    // While a store is away each try takes seconds; what fails faster than this is beyond help.
    intensity: 60,
    periodMs: 60_000,
    children: [
      // First, so that it says why where those after it cannot start.
      worker('database', () => loginWatch(parts.logins)),
      worker('stores', () => stores.owner, { shutdownMs: 10_000 }),
      supervisor('identity', () => ({
        strategy: 'oneForOne',
        intensity: 60,
        periodMs: 60_000,
        children: stores.use().children,
      })),
      sessions.child,
      worker('notices', () => noticeFollower(stores.use().bus, followers)),
      worker('listener', () => listener, { shutdownMs: settings.drainMs + 1000 }),
    ],
  };
}
