/** The store of devices as a registration sees it: what hardware was seen, and the one transaction that registers. */
import type { HashedComponent } from './fingerprints.ts';
import type { HardwareEvidence, HardwareVerdict } from './hardware-verdict.ts';
import type { NewFamily } from '../identity/token-families.ts';

export interface RegistrationCandidate {
  readonly publicKey: Buffer;
  readonly fingerprints: readonly HashedComponent[];
  readonly device: { readonly name: string; readonly os: string; readonly appVersion: string };
  /** Tokens to open for whichever device this turns out to be. */
  readonly family: NewFamily;
}

export type RegistrationOutcome =
  | {
      readonly outcome: 'created' | 'existing';
      readonly userId: string;
      readonly deviceId: string;
      /** Credits given by this registration; 0 for an existing device. */
      readonly granted: number;
      readonly balance: number;
      readonly suspended: boolean;
      /** Token families of older sign-ins of this device, which this one ended. */
      readonly superseded: readonly string[];
    }
  | { readonly outcome: 'blocked'; readonly blockedBy: 'rule' | 'operator' }
  | { readonly outcome: 'revoked' };

export interface DeviceRegistry {
  /** Looks all components up at once, each by itself. */
  evidence(publicKey: Buffer, fingerprints: readonly HashedComponent[]): Promise<HardwareEvidence>;
  /**
   * Registers in one transaction, alone with its key and its strong components: of a hundred parallel registrations of one
   * device one creates it. `judge` is called with the evidence as it is inside.
   */
  register(
    candidate: RegistrationCandidate,
    judge: (evidence: HardwareEvidence) => HardwareVerdict,
  ): Promise<RegistrationOutcome>;
}
