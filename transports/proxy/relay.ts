/** The gateway's routes on a listener, and the life of all exchanges together: their watch over time, their end at a stop. */
import { createByteBudget } from '../http/server/byte-budget.ts';
import type { HttpServer } from '../http/server/server.ts';
import { Roster } from '../../actors/bounds/roster.ts';
import type { Timer } from '../../actors/ports/clock.ts';
import { LIMITS } from '../../config/limits.ts';
import { Exchange } from './exchange.ts';
import type { ActiveExchange, ExchangeWorld } from './exchange-world.ts';
import { readRelayRequest } from './relay-request.ts';
import { RELAY_ROUTES } from './relay-routes.ts';

export interface Relay {
  /** Adds the routes of contract §4 to a listener. */
  attach(server: Pick<HttpServer, 'raw'>): void;
  readonly activeCount: number;
  /** Resolves when nothing is under way; what still is after `withinMs` is ended, and reported as `shutdown`, which takes a moment more. */
  drain(withinMs: number): Promise<void>;
}

export type RelayOptions = Omit<ExchangeWorld, 'active' | 'onActive' | 'orphans' | 'uploads'>;

export function createRelay(world: RelayOptions): Relay {
  const { clock, metrics } = world;
  const active = new Roster<ActiveExchange>();
  const orphans = { count: 0 };
  let ticker: Timer | undefined;
  /** Of drains, which may overlap: that of a stop, and that of a listener. */
  const onIdle = new Set<() => void>();

  metrics.onScrape(() => {
    metrics.gauge('vello_gateway_active_requests', {}, active.size);
    metrics.gauge('vello_gateway_orphaned_answers', {}, orphans.count);
  });

  // One timer watches all exchanges, and only while there are any: a request costs none of its own.
  const tick = () => {
    ticker = undefined;
    for (const exchange of active.all()) exchange.tick();
    if (active.size > 0) keepTicking();
    else for (const settle of onIdle) settle();
  };
  const keepTicking = () => {
    ticker ??= clock.setTimer(LIMITS.relay.tickMs, tick);
  };
  const uploads = createByteBudget(LIMITS.relay.uploadBytesAtOnce);
  const complete: ExchangeWorld = { ...world, active, onActive: keepTicking, orphans, uploads };

  return {
    attach: (server) => {
      for (const route of RELAY_ROUTES) {
        server.raw(route.method, route.pattern, (response, head, requestId) => {
          new Exchange(complete, response, readRelayRequest(route, head, requestId)).start();
        });
      }
    },
    get activeCount() {
      return active.size;
    },
    drain: async (withinMs) => {
      if (active.size === 0) return;
      await new Promise<void>((resolve) => {
        const settle = () => {
          deadline.cancel();
          onIdle.delete(settle);
          resolve();
        };
        let deadline = clock.setTimer(withinMs, () => {
          for (const exchange of active.all()) exchange.shutDown();
          // Their answers wait for their events, and are not waited for without end.
          deadline = clock.setTimer(LIMITS.events.sendMs + LIMITS.relay.tickMs, settle);
        });
        onIdle.add(settle);
        keepTicking();
      });
    },
  };
}
