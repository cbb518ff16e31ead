/** Who may call the api as a service, and the memory of signatures that were used. */

export interface ServiceAccounts {
  /** Public keys (32 vetted bytes) that may sign for the service now; none for an unknown or disabled one. Never older than a second. */
  keysOf(serviceId: string): Promise<readonly Buffer[]>;
}

/**
 * - `fresh`: not used before, remembered now.
 * - `replayed`: used before.
 * - `forgotten`: signed before the memory was last emptied, so nobody can tell.
 */
export type SignatureUse = 'fresh' | 'replayed' | 'forgotten';

export interface UsedSignatures {
  /** Remembers a signed text by its hash for `lifetimeMs`. Rejects when the memory is away: what cannot be told from a replay is not accepted. */
  use(textHash: string, signedAtMs: number, lifetimeMs: number): Promise<SignatureUse>;
}
