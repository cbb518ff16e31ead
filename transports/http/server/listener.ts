/** A listener as an actor: open while it runs. At the end no new connection is taken, what is under way finishes, and the rest is cut. */
import type { ActorDefinition, Facts } from '../../../actors/kernel/actor.ts';
import { owned } from '../../../actors/kernel/owned.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts';

interface ListenerOptions extends HttpServerOptions {
  /** Longest wait for what is under way when it stops. */
  readonly drainMs: number;
  /** Adds the routes, anew for each opening. */
  readonly serve: (server: HttpServer) => Served;
}

/** What there is to an opening beside its routes. */
interface Served {
  /** Resolves when what the server itself does not wait for has ended: sockets, and exchanges that answer by themselves. */
  readonly finish?: () => Promise<void>;
  /** Once it listens: takes part in what the process does, as in its drain. Returns the ways to take that out again. */
  readonly join?: () => readonly (() => void)[];
  readonly describe?: () => Facts;
}

/** @throws VelloError `PORT_IN_USE` when started */
export function listener({ serve, drainMs, ...options }: ListenerOptions): ActorDefinition<never> {
  const { address, clock } = options;
  return owned(
    'listener',
    async () => {
      const server = createHttpServer(options);
      try {
        const { finish, join, describe } = serve(server);
        const port = await server.listen();
        const withdraw = join?.() ?? [];
        return {
          close: async () => {
            for (const undo of withdraw) undo();
            const startedMs = clock.monotonicMs();
            await server.stopAccepting();
            await finish?.();
            await server.close(Math.max(0, drainMs - (clock.monotonicMs() - startedMs)));
          },
          describe: () => ({ host: address.host, port, ...describe?.() }),
        };
      } catch (error) {
        await server.close(0);
        throw error;
      }
    },
    { describe: (listening) => listening.describe() },
  );
}
