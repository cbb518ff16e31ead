/** Where signing keys are kept, private halves sealed. */
import type { JWK } from 'jose';

export interface StoredSigningKey {
  readonly kid: string;
  readonly state: 'next' | 'current' | 'retired';
  readonly publicJwk: JWK;
  /** The private JWK, sealed for this installation. */
  readonly sealed: Buffer;
  readonly createdAtMs: number;
  readonly retiredAtMs: number | undefined;
}
export type NewSigningKey = Pick<StoredSigningKey, 'kid' | 'publicJwk' | 'sealed'>;

export interface SigningKeyStore {
  /** Keys that are in use, and those retired since `retiredAfterMs`. */
  load(retiredAfterMs: number): Promise<readonly StoredSigningKey[]>;
  /** Stores the two where a current and a next key are missing; does nothing where another process was first. */
  provide(current: NewSigningKey, next: NewSigningKey): Promise<void>;
}
