/** Revokes a device: nothing that it holds opens anything from here on. */
import { VelloError } from '../../config/errors.ts';
import type { DeviceControl } from './device-control.ts';
import type { GrantPublisher } from '../ports/grants.ts';

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
