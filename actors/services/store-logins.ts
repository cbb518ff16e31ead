/** Whether a new connection to a store would be let in now: those that are open already say nothing about that. */
export interface StoreLogins {
  /** Resolves to what is wrong, for an operator to read, or undefined. Never rejects. */
  problem(): Promise<string | undefined>;
}
