/** The gateway's listener as an actor: open while it runs; at the end it finishes what is under way before its connections go. */
import type { ActorDefinition } from '../../actors/kernel/actor.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { DrainPlan } from '../../actors/ports/drain.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { ListenAddress } from '../../config/parse-setting.ts';
import { createHttpServer } from '../http/server/server.ts';
import type { Relay } from './relay.ts';

export interface GatewayListenerParts {
  readonly relay: Relay;
  readonly address: ListenAddress;
  readonly trustProxy: boolean;
  /** Longest wait for requests under way; the rest is ended and reported. */
  readonly drainMs: number;
  /** Requests end here before the roles they need do: the provider may be our own inference role. */
  readonly drain: DrainPlan;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** How long the last answers may take to leave. */
const GRACE_MS = 200;
/** What is ended at the deadline still owes an answer and an event: they get the end of the time. */
const ENDING_MS = 500;

/** @throws VelloError `PORT_IN_USE` when started */
export function gatewayListener(parts: GatewayListenerParts): ActorDefinition<never> {
  const { relay, address, drainMs, drain } = parts;
  const finishMs = drainMs - Math.min(ENDING_MS, drainMs / 4);
  return {
    type: 'listener',
    start: async () => {
      const server = createHttpServer({ ...parts, listener: 'gateway' });
      relay.attach(server);
      const port = await server.listen();
      const withdraw = [
        drain.on('stopAccepting', 'gateway listener', () => server.stopAccepting()),
        drain.on('finish', 'gateway requests', () => relay.drain(finishMs)),
      ];
      return {
        receive: () => undefined,
        stop: async () => {
          for (const undo of withdraw) undo();
          server.stopAccepting();
          await relay.drain(finishMs);
          await server.close(GRACE_MS);
        },
        describe: () => ({ host: address.host, port, active: relay.activeCount }),
      };
    },
  };
}
