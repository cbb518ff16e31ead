/** What every exchange of a gateway shares: its collaborators, the list of those under way, and how they are counted. */
import type { Admission } from '../../actors/admission/admission.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { EventSink } from '../../actors/events/event-emitter.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { GatewayConfig, ProviderDirectory } from '../../actors/relay/gateway-config.ts';
import type { Outcome } from '../../actors/events/usage-event.ts';
import type { ByteBudget } from '../http/server/byte-budget.ts';

export interface ActiveExchange {
  /** Judges what has waited too long. To be called a few times a second. */
  tick(): void;
  /** Ends the exchange because the gateway stops. */
  shutDown(): void;
}

export interface ExchangeWorld {
  readonly admission: Admission;
  readonly config: () => GatewayConfig;
  readonly providers: ProviderDirectory;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly newId: () => string;
  /** Exchanges admitted and not yet finished. */
  readonly active: Set<ActiveExchange>;
  /** One more is active: it wants to be ticked. */
  readonly onActive: () => void;
  /** Answers that are read to their end for clients that left. */
  readonly orphans: { count: number };
  /** Upload bytes that wait in all exchanges together. */
  readonly uploads: ByteBudget;
}

export interface CountedExchange {
  readonly route: string;
  readonly outcome: Outcome | 'refused';
  readonly status: number;
  readonly elapsedMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export function countExchange({ metrics }: Pick<ExchangeWorld, 'metrics'>, counted: CountedExchange): void {
  const { route, outcome, status, elapsedMs, bytesIn, bytesOut } = counted;
  metrics.count('vello_gateway_requests_total', { route, outcome });
  metrics.count('vello_http_requests_total', { listener: 'gateway', route, status: String(status) });
  metrics.observe('vello_http_request_seconds', { listener: 'gateway', route }, elapsedMs / 1000);
  metrics.count('vello_gateway_bytes_total', { direction: 'in' }, bytesIn);
  metrics.count('vello_gateway_bytes_total', { direction: 'out' }, bytesOut);
}
