/** The registered devices, as those who check a key or a signature see them. */

export interface KnownDevice {
  readonly userId: string;
  readonly deviceId: string;
  readonly revoked: boolean;
  /** Highest sequence that the database knows. */
  readonly sequenceHigh: number;
  readonly mustReauthenticate: boolean;
}

export interface KnownDevices {
  findByKey(publicKey: Buffer): Promise<KnownDevice | undefined>;
  findById(deviceId: string): Promise<(KnownDevice & { readonly publicKey: Buffer }) | undefined>;
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
