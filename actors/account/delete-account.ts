/** Deletes an account at its owner's wish: nothing it had opens anything from here on, and what need not be kept is gone. */
import type { GrantPublisher } from '../ports/grants.ts';

/** All but what the ledger and the defence against abuse must keep. */
export interface AccountErasure {
  /** Closes the account, then removes its rows. Repeating it is harmless. */
  erase(userId: string): Promise<void>;
  /** Removes what arrived for accounts deleted lately, or was left by an erasure that broke. Returns the number of rows. */
  sweep(): Promise<number>;
}

/**
 * Resolves once the gateways and the other api processes have been told too. A caller whose first attempt broke in between still
 * holds a token that opens this, and closes the gap by asking again.
 */
export async function deleteAccount(
  userId: string,
  deps: { readonly erasure: AccountErasure; readonly grants: GrantPublisher },
): Promise<void> {
  // Told last: a token announced as revoked could not ask again after a failure.
  await deps.erasure.erase(userId);
  await deps.grants.limit(userId, undefined);
  await deps.grants.revoke({ userId });
}
