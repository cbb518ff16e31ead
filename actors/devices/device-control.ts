/** What an owner may change about a device. */

export interface DeviceControl {
  /** Returns false when this user has no such device. */
  rename(userId: string, deviceId: string, name: string): Promise<boolean>;
  /** Ends the device's key, sessions and refresh tokens; recorded once. Returns false when this user has no such device. */
  revoke(userId: string, deviceId: string): Promise<boolean>;
}
