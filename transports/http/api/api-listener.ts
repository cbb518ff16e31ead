/** The api's listener as an actor: open while it runs, last to open and first to close. Desktops are told before their sockets go. */
import type { ActorDefinition } from '../../../actors/kernel/actor.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { DrainPlan } from '../../../actors/ports/drain.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { Metrics } from '../../../actors/ports/metrics.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';
import { registerRoutes, type ApiRoute, type Guards } from './api-route.ts';
import { createHttpServer, type HttpServer } from '../server/server.ts';

/** What the listener serves, made anew for each opening. */
export interface ApiSurface {
  readonly routes: readonly ApiRoute[];
  readonly guards: Guards;
  readonly sockets: {
    readonly register: (server: HttpServer) => void;
    readonly drain: (withinMs: number) => Promise<void>;
  };
}

export interface ApiListenerParts {
  readonly address: ListenAddress;
  readonly trustProxy: boolean;
  readonly drainMs: number;
  /** Desktops are sent away here; the listener itself stays until the collector, which posts to it, has ended. */
  readonly drain: DrainPlan;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly surface: () => ApiSurface;
}

/** @throws VelloError `PORT_IN_USE` when started */
export function apiListener(parts: ApiListenerParts): ActorDefinition<never> {
  const { address, drainMs, drain, clock } = parts;
  return {
    type: 'listener',
    start: async () => {
      const { routes, guards, sockets } = parts.surface();
      const server = createHttpServer({ ...parts, listener: 'api' });
      registerRoutes(server, routes, guards);
      sockets.register(server);
      const port = await server.listen();
      const withdraw = drain.on('handOff', 'desktop sockets', () => sockets.drain(drainMs));
      return {
        receive: () => undefined,
        stop: async () => {
          withdraw();
          const startedMs = clock.monotonicMs();
          server.stopAccepting();
          await sockets.drain(drainMs);
          await server.close(Math.max(0, drainMs - (clock.monotonicMs() - startedMs)));
        },
        describe: () => ({ host: address.host, port }),
      };
    },
  };
}
