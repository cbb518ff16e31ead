/**
 * The api role: what it stands on, what keeps that current, the sessions of its desktops, the listener, and what keeps the gateways' prompts current. Whatever restarts takes what
 * stands after it along, because that was made from it.
 */
import { keyFollower } from '../../actors/identity/key-follower.ts';
import { revocationFollower } from '../../actors/identity/revocation-follower.ts';
import { tokenJanitor } from '../../actors/identity/token-janitor.ts';
import { owned } from '../../actors/kernel/owned.ts';
import { loginWatch } from '../../actors/programs/login-watch.ts';
import { promptMirror } from '../../actors/prompts/prompt-mirror.ts';
import { createDeviceFollowers, noticeFollower } from '../../actors/sessions/device-followers.ts';
import { createSessionDirectory } from '../../actors/sessions/session-directory.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Settings } from '../../config/settings.ts';
import { registerRoutes } from '../../transports/http/api/api-route.ts';
import { apiDocumentationRoutes } from '../../transports/http/routes/api-documentation.ts';
import { listener } from '../../transports/http/server/listener.ts';
import type { HttpServer } from '../../transports/http/server/server.ts';
import { LIVE_ROUTE } from '../../transports/live/live-route.ts';
import { PROVIDER_ROUTES } from '../../transports/proxy/described-routes.ts';
import { createDesktopEndpoint, type DesktopEndpoint } from '../../transports/websocket/desktop-endpoint.ts';
import { DESKTOP_ROUTE } from '../../transports/websocket/desktop-route.ts';
import type { ApiParts, ApiStores } from '../api-parts.ts';
import { createApiSurface } from '../api-surface.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import { DynamicChildren } from '../dynamic-children.ts';

export type ApiSettings = Pick<Settings, 'apiListen' | 'corsOrigins' | 'devicesPerHardware' | 'drainMs' | 'trustProxy'>;

export function apiRole(parts: ApiParts, settings: ApiSettings): SupervisorSpec {
  const { clock, drain, log, metrics, random, version } = parts;
  const { apiListen: address, corsOrigins, devicesPerHardware, drainMs, trustProxy } = settings;
  let sockets: DesktopEndpoint | undefined;
  const stores = owned('api-stores', async () => {
    const opened = await parts.openStores((scope) => sockets?.revoke(scope));
    // Made once for these stores: the tokens it has verified outlive a listener that opens anew.
    return { ...opened, surface: createApiSurface(opened, parts, devicesPerHardware) };
  });
  const followers = createDeviceFollowers();
  const shards = Array.from({ length: LIMITS.sessions.shards }, () => new DynamicChildren());

  const serve = (server: HttpServer) => {
    const { messages, bus, surface } = stores.use();
    const { routes, guards, auth } = surface;
    const directory = createSessionDirectory(shards, { auth, messages, bus, followers, metrics, random });
    const desktops = createDesktopEndpoint({ auth, directory, clock, log, metrics });
    const described = apiDocumentationRoutes([...routes, DESKTOP_ROUTE, ...PROVIDER_ROUTES, LIVE_ROUTE], version);
    registerRoutes(server, [...routes, ...described], guards);
    desktops.register(server);
    sockets = desktops;
    const finish = () => desktops.drain(drainMs);
    // Desktops are sent away then; the listener itself stays until the collector, which posts to it, has ended.
    return { finish, join: () => [drain.on('handOff', 'desktop sockets', finish), desktops.showCount()] };
  };
  const listening = listener({
    listener: 'api',
    address,
    corsOrigins,
    trustProxy,
    drainMs,
    clock,
    log,
    metrics,
    serve,
  });

  return {
    strategy: 'restForOne',
    // While a store is away each try takes seconds; what fails faster than this is beyond help.
    intensity: 60,
    periodMs: 60_000,
    children: [
      // First, so that it says why where those after it cannot start.
      worker('database', () => loginWatch(parts.logins)),
      worker('stores', stores, { shutdownMs: 10_000 }),
      supervisor('identity', () => identitySpec(stores.use())),
      supervisor('sessions', sessionsSpec(shards)),
      worker('notices', () => noticeFollower(stores.use().bus, followers)),
      worker('listener', listening, { shutdownMs: drainMs + 1000 }),
      // Nothing stands on it.
      worker('prompts', () => promptMirror(stores.use())),
    ],
  };
}

/** What keeps sign-in current. */
export const identitySpec = (stores: ApiStores): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 60,
  periodMs: 60_000,
  children: [
    worker('revocations', () => revocationFollower(stores.revocations, stores.grantSource)),
    worker('keys', () => keyFollower(stores)),
    worker('token-janitor', () => tokenJanitor(stores)),
  ],
});

/** The sessions of all devices, in shards, so that no supervisor has all of them to start, find and stop. */
export const sessionsSpec = (shards: readonly DynamicChildren[]): SupervisorSpec => {
  const budget = { strategy: 'oneForOne', intensity: 10, periodMs: 10_000 } as const;
  const children = shards.map((dynamic, index) =>
    supervisor(`shard-${String(index).padStart(2, '0')}`, { ...budget, children: [], dynamic }),
  );
  return { ...budget, children };
};
