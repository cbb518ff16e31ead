/** What every exchange of a gateway shares: its collaborators, and the list of those under way. */
import type { Roster, Rostered } from '../../actors/bounds/roster.ts';
import type { Admission } from '../../actors/admission/admission.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { EventSink } from '../../actors/events/event-emitter.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { SystemPrompt } from '../../actors/prompts/system-prompt.ts';
import type { GatewayConfig, ProviderDirectory } from '../../actors/relay/gateway-config.ts';
import type { ByteBudget } from '../http/server/byte-budget.ts';

export interface ActiveExchange extends Rostered {
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
  readonly prompts: ReadonlyMap<string, SystemPrompt>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly newId: () => string;
  /** Exchanges that are admitted, or ask for it, and are not yet finished. */
  readonly active: Roster<ActiveExchange>;
  /** One more is active: it wants to be ticked. */
  readonly onActive: () => void;
  /** Answers that are read to their end for clients that left. */
  readonly orphans: { count: number };
  /** Upload bytes that wait in all exchanges together. */
  readonly uploads: ByteBudget;
}
