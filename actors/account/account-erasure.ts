/** Erases what is kept about an account, all but what the ledger and the defence against abuse must keep. */

export interface AccountErasure {
  /** Closes the account, then removes its rows. Repeating it is harmless. */
  erase(userId: string): Promise<void>;
  /** Removes what arrived for accounts deleted lately, or was left by an erasure that broke. Returns the number of rows. */
  sweep(): Promise<number>;
}
