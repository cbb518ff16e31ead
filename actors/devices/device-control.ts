/** What an owner may change about a device. */
import { VelloError } from '../../config/errors.ts';
import type { GrantPublisher } from '../ports/grants.ts';

export interface DeviceControl {
  /** Returns false when this user has no such device. */
  rename(userId: string, deviceId: string, name: string): Promise<boolean>;
  /** Ends the device's key, sessions and refresh tokens; recorded once. Returns false when this user has no such device. */
  revoke(userId: string, deviceId: string): Promise<boolean>;
}

export interface RevokeDeviceDependencies {
  readonly devices: DeviceControl;
  readonly grants: GrantPublisher;
}

/**
 * Resolves once the gateways have been told too. Repeating it is harmless and tells them again: a caller whose first attempt broke
 * between the two steps closes the gap by asking once more.
 * @throws VelloError `DEVICE_NOT_FOUND`
 */
export async function revokeDevice(
  owner: { readonly userId: string; readonly deviceId: string },
  { devices, grants }: RevokeDeviceDependencies,
): Promise<void> {
  if (!(await devices.revoke(owner.userId, owner.deviceId))) throw new VelloError('DEVICE_NOT_FOUND');
  await grants.revoke({ deviceId: owner.deviceId });
}
