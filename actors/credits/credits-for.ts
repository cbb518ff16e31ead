/** What a usage event costs (contract §5). Pure; which cost rule belongs to a model is looked up by the caller. */
import type { UsageEvent } from '../events/usage-event.ts';

/** What each model costs, as the operator set it. */
export interface ModelCosts {
  /** The rule of each model that has one of its own, and under `*` the one for all others. */
  read(): Promise<ReadonlyMap<string, ModelCost>>;
}

/** What processing with one model costs. */
export interface ModelCost {
  readonly creditsPer1kInput: number;
  readonly creditsPer1kOutput: number;
  readonly minimumCredits: number;
}

/** Contract §5. 5.555556 credits a second are 20 000 credits an hour. */
export const CREDITS_PER_AUDIO_SECOND = 5.555556;

/** Whole credits for one event, 0 or more. `cost` prices `process` events and is not looked at for others. */
export function creditsFor(event: UsageEvent, cost: ModelCost): number {
  if (!wasServed(event)) return 0;
  return event.type === 'transcribe' ? transcriptionCredits(event.audioSeconds) : processingCredits(event, cost);
}

/** `max(1, int(audio_seconds * 5.555556 + 0.5))`: rounded half up, never free. */
export function transcriptionCredits(audioSeconds: number): number {
  return Math.max(1, Math.floor(audioSeconds * CREDITS_PER_AUDIO_SECOND + 0.5));
}

/**
 * A user pays for answers, not for our or the provider's failures: nothing is taken where no answer began. One that was cut short,
 * or whose client left, was made and is paid for.
 */
function wasServed(event: UsageEvent): boolean {
  switch (event.outcome) {
    case 'ok':
      return event.status < 400;
    case 'truncated':
    case 'client_abort':
      return event.ttfbMs !== undefined || event.result !== undefined;
    case 'upstream_error':
    case 'timeout':
    case 'shutdown':
    case 'lost':
      return false;
  }
}

function processingCredits(event: UsageEvent, cost: ModelCost): number {
  const input = tokens(event.usage, 'prompt_tokens', 'input_tokens');
  const output = tokens(event.usage, 'completion_tokens', 'output_tokens');
  const exact = (input * cost.creditsPer1kInput + output * cost.creditsPer1kOutput) / 1000;
  return Math.max(cost.minimumCredits, Math.floor(exact + 0.5));
}

/** No provider counts to this in one call; a price beyond it would not fit a ledger. */
const MOST_TOKENS = 1e9;

/** Providers name the same count in one of two ways. What is not a count is none. */
function tokens(usage: UsageEvent['usage'], ...names: readonly string[]): number {
  for (const name of names) {
    const value = usage?.[name];
    if (typeof value === 'number' && value > 0 && value <= MOST_TOKENS) return value;
  }
  return 0;
}
