/**
 * Turns usage events into jobs and credits: each event is decoded and priced by itself, those that hold are settled in one
 * transaction, and only then are devices told and spent users' grants suspended. Repeating a call is harmless at every point.
 */
import { VelloError } from '../../config/errors.ts';
import type { GrantPublisher } from '../ports/grants.ts';
import type { Log } from '../ports/log.ts';
import { type ModelCosts, creditsFor, type ModelCost } from './credits-for.ts';
import type { DeviceNotifier } from '../sessions/device-channels.ts';
import type { PricedEvent, Settlement, SettlementVerdict } from './settlement.ts';
import { decodeUsageEvent, type UsageEvent } from '../events/usage-event.ts';
import { requestsAtOnce } from './requests-at-once.ts';

export interface SettleEventsParts {
  readonly settlement: Settlement;
  readonly costs: ModelCosts;
  readonly notifier: DeviceNotifier;
  readonly grants: Pick<GrantPublisher, 'suspend' | 'limit'>;
  readonly log: Log;
}

export interface SettledJob {
  readonly jobId: string;
  readonly creditsDeducted: number;
  readonly balance: number;
  readonly duplicate: boolean;
}

/** Per event: its job, or why it has none (`EVENT_MALFORMED`, `USER_UNKNOWN`, `UNAVAILABLE`). */
export type EventResult = SettledJob | VelloError;

/**
 * Returns one result for each event, in order.
 * @throws whatever the store threw; nothing was recorded then.
 */
export async function settleEvents(
  parts: SettleEventsParts,
  events: readonly Readonly<Record<string, unknown>>[],
): Promise<readonly EventResult[]> {
  const decoded = events.map(decode);
  const priced = await price(parts.costs, decoded);
  const accepted = priced.filter((event): event is PricedEvent => !(event instanceof VelloError));
  const verdicts = accepted.length === 0 ? [] : await parts.settlement.settle(accepted);
  const unsuspended = await suspendSpent(parts, verdicts);
  limitSmall(parts, verdicts);
  announce(parts, accepted, verdicts);

  const next = verdicts[Symbol.iterator]();
  return priced.map((event) => {
    if (event instanceof VelloError) return event;
    const verdict = next.next().value;
    if (verdict === undefined) throw new Error('the store returned fewer verdicts than it was given events');
    if (verdict.outcome === 'unknown_user') return new VelloError('USER_UNKNOWN');
    if (verdict.outcome === 'refused')
      return new VelloError('EVENT_MALFORMED', 'The event holds a value that cannot be stored.');
    const { jobId, creditsDeducted, balance, duplicate, userId } = verdict;
    // The event is settled, but asked for again: its repetition suspends the user, and changes nothing else.
    if (unsuspended.has(userId)) return new VelloError('UNAVAILABLE', 'The gateway could not be told.');
    return { jobId, creditsDeducted, balance, duplicate };
  });
}

function decode(fields: Readonly<Record<string, unknown>>): UsageEvent | VelloError {
  try {
    return decodeUsageEvent(fields);
  } catch (error) {
    if (error instanceof VelloError) return error;
    throw error;
  }
}

async function price(
  costs: ModelCosts,
  decoded: readonly (UsageEvent | VelloError)[],
): Promise<readonly (PricedEvent | VelloError)[]> {
  const isProcess = (event: UsageEvent | VelloError) => !(event instanceof VelloError) && event.type === 'process';
  const rules: ReadonlyMap<string, ModelCost> = decoded.some(isProcess) ? await costs.read() : new Map();
  return decoded.map((event) => {
    if (event instanceof VelloError) return event;
    const { userId, deviceId } = event;
    if (userId === undefined || deviceId === undefined)
      return new VelloError('USER_UNKNOWN', 'The event names nobody.');
    const credits = creditsFor(event, rules.get(event.model) ?? rules.get('*') ?? WITHOUT_RULE);
    return { ...event, userId, deviceId, credits };
  });
}

/** An operator who deleted even the general rule still gets work recorded, at the least price. */
const WITHOUT_RULE: ModelCost = { creditsPer1kInput: 0, creditsPer1kOutput: 0, minimumCredits: 1 };

/** Returns the users whose suspension failed. */
async function suspendSpent(
  { grants, log }: SettleEventsParts,
  verdicts: readonly SettlementVerdict[],
): Promise<ReadonlySet<string>> {
  const spent = new Set(verdicts.flatMap((v) => (v.outcome === 'settled' && v.exhausted ? [v.userId] : [])));
  const failed = new Set<string>();
  await Promise.all(
    [...spent].map((userId) =>
      grants.suspend(userId).catch((error: unknown) => {
        log.warn('could not suspend a user whose credits are spent', { userId, error });
        failed.add(userId);
      }),
    ),
  );
  return failed;
}

/**
 * Does not wait: the next event that finds the balance small says it again, and each sign-in and refresh says what holds by then. What a
 * repeated event says of the balance is old.
 */
function limitSmall({ grants, log }: SettleEventsParts, verdicts: readonly SettlementVerdict[]): void {
  const left = new Map<string, number>();
  for (const verdict of verdicts) {
    if (verdict.outcome !== 'settled' || verdict.duplicate || verdict.exhausted) continue;
    left.set(verdict.userId, Math.min(verdict.balance, left.get(verdict.userId) ?? Infinity));
  }
  for (const [userId, balance] of left) {
    const atOnce = requestsAtOnce(balance);
    if (atOnce === undefined) continue;
    grants.limit(userId, atOnce).catch((error: unknown) => {
      log.warn('could not tell the gateways of a small balance', { userId, error });
    });
  }
}

/** Does not wait: the message is in the device's outbox already, and whoever is connected should not hold up the answer. */
function announce(
  { notifier, log }: SettleEventsParts,
  events: readonly PricedEvent[],
  verdicts: readonly SettlementVerdict[],
): void {
  for (const [index, verdict] of verdicts.entries()) {
    const event = events[index];
    if (event === undefined || verdict.outcome !== 'settled' || verdict.messageSeq === undefined) continue;
    notifier
      .notify(verdict.deviceId, {
        type: 'job_created',
        seq: verdict.messageSeq,
        job_id: verdict.jobId,
        event_id: verdict.eventId,
        session_id: event.sessionId,
        credits_deducted: verdict.creditsDeducted,
        balance: verdict.balance,
      })
      .catch((error: unknown) => log.warn('could not tell a device of its job', { deviceId: verdict.deviceId, error }));
  }
}
