/** The outboxes in PostgreSQL. Rows arise in `settlement.ts`, in the transaction that makes the news. */
import type { DeviceMessages, StoredMessage } from '../../../actors/sessions/device-messages.ts';
import { VelloError } from '../../../config/errors.ts';
import type { TenantDatabase } from '../connection/tenant.ts';

interface Row {
  readonly epoch: string;
  readonly last_seq: number;
  readonly messages: readonly StoredMessage[];
}

export function createDeviceMessages(tenants: TenantDatabase): DeviceMessages {
  return {
    read: async ({ userId, deviceId }, afterSeq, limit) => {
      // A number is given under the lock of the device's row, so whoever sees one message sees all before it.
      const [row] = await tenants.withTenant(
        userId,
        (tx) => tx<Row[]>`
          select d.message_epoch as epoch, d.last_message_seq as last_seq, coalesce((
            select jsonb_agg(jsonb_build_object('seq', m.seq, 'type', m.type, 'body', m.body) order by m.seq)
            from (
              select seq, type, body from device_messages
              where device_id = d.id and seq > ${afterSeq}
              order by seq limit ${limit}
            ) m
          ), '[]') as messages
          from devices d where d.id = ${deviceId}`,
      );
      if (row === undefined) throw new VelloError('DEVICE_NOT_FOUND');
      return { epoch: row.epoch, lastSeq: row.last_seq, messages: row.messages };
    },
    acknowledge: async ({ userId, deviceId }, uptoSeq) => {
      await tenants.withTenant(
        userId,
        (tx) => tx`delete from device_messages where device_id = ${deviceId} and seq <= ${uptoSeq}`,
      );
    },
  };
}
