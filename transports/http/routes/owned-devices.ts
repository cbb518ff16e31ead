/** The devices of an account, as their owner sees and manages them. */
import { Type } from '@sinclair/typebox';
import { revokeDevice, type DeviceControl } from '../../../actors/devices/device-control.ts';
import type { AccountRecords } from '../../../actors/account/account-records.ts';
import type { GrantPublisher } from '../../../actors/ports/grants.ts';
import { VelloError } from '../../../config/errors.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { pageOf, PAGE_QUERY, readPage, uuidCursor } from './page.ts';
import { DEVICE } from './record-schemas.ts';
import { closed, UUID } from '../api/schemas.ts';

export interface OwnedDeviceParts {
  readonly records: AccountRecords;
  readonly devices: DeviceControl;
  readonly grants: GrantPublisher;
}

export function ownedDeviceRoutes(parts: OwnedDeviceParts): readonly ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/devices',
      tag: 'Devices',
      summary: 'The devices of this account, newest first, revoked ones included.',
      auth: 'access',
      query: PAGE_QUERY,
      answers: { 200: { description: 'One page.', schema: pageOf(DEVICE) } },
      handle: async ({ caller, query }) => ({
        status: 200,
        body: await readPage(
          query,
          uuidCursor('devices'),
          (slice) => parts.records.devices(caller.userId, slice),
          (row) => row.device_id,
        ),
      }),
    }),

    apiRoute({
      method: 'PATCH',
      path: '/api/devices/{id}',
      tag: 'Devices',
      summary: 'Renames a device.',
      auth: 'access',
      params: closed({ id: UUID }),
      body: closed({ name: Type.String({ minLength: 1, maxLength: 120 }) }),
      answers: { 200: { description: 'The device under its new name.', schema: DEVICE } },
      errors: ['DEVICE_NOT_FOUND'],
      handle: async ({ caller, params, body }) => {
        const renamed = await parts.devices.rename(caller.userId, params.id, body.name);
        const device = renamed ? await parts.records.device(caller.userId, params.id) : undefined;
        if (device === undefined) throw new VelloError('DEVICE_NOT_FOUND');
        return { status: 200, body: device };
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/devices/{id}',
      tag: 'Devices',
      summary: 'Revokes a device.',
      description:
        'Its key, refresh tokens, access tokens and gateway grants stop working at once; its past jobs stay. ' +
        'Revoking it again changes nothing.',
      auth: 'access',
      params: closed({ id: UUID }),
      answers: { 204: { description: 'Revoked.' } },
      errors: ['DEVICE_NOT_FOUND'],
      handle: async ({ caller, params }) => {
        await revokeDevice({ userId: caller.userId, deviceId: params.id }, parts);
        return { status: 204 };
      },
    }),
  ];
}
