/** How much of the gateway a balance opens. A request's price is known at its end, so what is under way at once is what a balance can be overdrawn by. */
import type { GrantPublisher } from '../ports/grants.ts';
import { CREDITS_PER_AUDIO_SECOND } from './credits-for.ts';

/** A balance that pays for so many minutes of speech is not small: the gateway's own bound is enough. */
const MANY_MINUTES = 32;

/**
 * The requests that a user may have under way at each gateway: one for each minute of speech that the balance pays for, at least one, in powers
 * of two, so that gateways hear of few changes. `undefined` where the balance sets no bound.
 */
export function requestsAtOnce(balance: number): number | undefined {
  const minutes = balance / (60 * CREDITS_PER_AUDIO_SECOND);
  if (minutes >= MANY_MINUTES) return undefined;
  return minutes < 2 ? 1 : 2 ** Math.floor(Math.log2(minutes));
}

/** Tells the gateways what a balance opens. Rejects when they cannot be told. */
export function announceBalance(
  grants: Pick<GrantPublisher, 'suspend' | 'limit'>,
  userId: string,
  balance: number,
  suspended: boolean,
): Promise<void> {
  return suspended ? grants.suspend(userId) : grants.limit(userId, requestsAtOnce(balance));
}
