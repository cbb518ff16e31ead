/** The admin listener as an actor: open while it runs. */
import type { ActorDefinition } from '../../../actors/kernel/actor.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';
import { addAdminRoutes, type AdminParts } from './admin.ts';
import { createHttpServer } from '../server/server.ts';

export interface AdminListenerParts extends AdminParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly address: ListenAddress;
}

/** A probe's answer takes milliseconds; a slow dashboard need not hold up the end. */
const GRACE_MS = 500;

/** @throws VelloError `PORT_IN_USE` when started */
export function adminListener(parts: AdminListenerParts): ActorDefinition<never> {
  const { clock, log, metrics, address } = parts;
  return {
    type: 'listener',
    start: async () => {
      const server = createHttpServer({ listener: 'admin', address, clock, log, metrics });
      addAdminRoutes(server, parts);
      const port = await server.listen();
      return {
        receive: () => undefined,
        stop: () => server.close(GRACE_MS),
        describe: () => ({ host: address.host, port }),
      };
    },
  };
}
