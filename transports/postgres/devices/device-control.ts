/** Renames and revokes devices on behalf of their owner. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { DeviceControl } from '../../../actors/devices/device-control.ts';
import type { TenantDatabase } from '../connection/tenant.ts';

export function createDeviceControl(tenants: TenantDatabase): DeviceControl {
  return {
    rename: (userId, deviceId, name) =>
      tenants.withTenant(userId, async (tx) => {
        const renamed = await tx`update devices set name = ${name} where id = ${deviceId} returning id`;
        return renamed.length > 0;
      }),

    revoke: (userId, deviceId) =>
      tenants.withTenant(userId, async (tx) => {
        // The device's row first: a registration of the same key, or a second revocation, waits here.
        const [device] = await tx<{ revoked: boolean }[]>`
          select revoked_at is not null as revoked from devices where id = ${deviceId} for update`;
        if (device === undefined) return false;
        if (device.revoked) return true;
        await tx`update devices set revoked_at = now() where id = ${deviceId}`;
        await tx`update device_keys set revoked_at = now() where device_id = ${deviceId} and revoked_at is null`;
        await tx`update refresh_token_families set revoked_at = now() where device_id = ${deviceId} and revoked_at is null`;
        await tx`update sessions set ended_at = now(), end_reason = 'device_revoked'
          where device_id = ${deviceId} and ended_at is null`;
        await tx`insert into auth_events (id, user_id, device_id, kind)
          values (${newId()}, ${userId}, ${deviceId}, 'device_revoked')`;
        return true;
      }),
  };
}
