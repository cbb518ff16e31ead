/** The store of devices: who holds a key, what hardware was seen, and the one transaction that registers. */
import type { HashedComponent } from './fingerprints.ts';
import type { HardwareEvidence, HardwareVerdict } from './hardware-verdict.ts';
import type { NewFamily } from '../identity/token-families.ts';

export interface KnownDevice {
  readonly userId: string;
  readonly deviceId: string;
  readonly revoked: boolean;
  /** Highest sequence that the database knows. */
  readonly sequenceHigh: number;
  readonly mustReauthenticate: boolean;
}

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
  findByKey(publicKey: Buffer): Promise<KnownDevice | undefined>;
  findById(deviceId: string): Promise<(KnownDevice & { readonly publicKey: Buffer }) | undefined>;
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
  /** Remembers an answered challenge: the device is alive, and a halt for a second writer is over. */
  authenticated(device: { readonly userId: string; readonly deviceId: string }, sequenceHigh: number): Promise<void>;
  /** Remembers an accepted signed request. */
  requestAccepted(deviceId: string, sequence: number, clockSkewMs: number): Promise<void>;
  /** Halts a device whose key has two writers until it answers a challenge. Returns the token families that this ended. */
  secondWriterSeen(
    device: { readonly userId: string; readonly deviceId: string },
    sequence: number,
  ): Promise<readonly string[]>;
}
