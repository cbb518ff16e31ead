/** The registered devices in PostgreSQL, and what is remembered of each when it proves itself. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { KnownDevice, KnownDevices } from '../../../actors/identity/known-devices.ts';
import type { SystemSql } from '../connection/system.ts';
import { endFamiliesOfDevice } from './token-families.ts';

export function createKnownDevices(sql: SystemSql): KnownDevices {
  return {
    async findByKey(publicKey) {
      const [row] = await sql<DeviceRow[]>`
        select d.user_id, d.id, k.public_key, d.sequence_high, d.must_reauthenticate,
          d.revoked_at is not null or k.revoked_at is not null as revoked
        from device_keys k join devices d on d.id = k.device_id
        where k.public_key = ${publicKey}`;
      return row === undefined ? undefined : toKnownDevice(row);
    },
    async findById(deviceId) {
      const [row] = await sql<DeviceRow[]>`
        select d.user_id, d.id, k.public_key, d.sequence_high, d.must_reauthenticate,
          d.revoked_at is not null or k.revoked_at is not null as revoked
        from devices d join device_keys k on k.user_id = d.user_id and k.device_id = d.id
        where d.id = ${deviceId}`;
      return row === undefined ? undefined : { ...toKnownDevice(row), publicKey: row.public_key };
    },
    async authenticated({ userId, deviceId }, sequenceHigh) {
      await sql`
        with device as (
          update devices set last_seen_at = now(), must_reauthenticate = false,
            sequence_high = greatest(sequence_high, ${sequenceHigh})
          where id = ${deviceId})
        insert into auth_events (id, user_id, device_id, kind) values (${newId()}, ${userId}, ${deviceId}, 'authenticated')`;
    },
    async requestAccepted(deviceId, sequence, clockSkewMs) {
      await sql`
        update devices set last_seen_at = now(), clock_skew_ms = ${clockSkewMs},
          sequence_high = greatest(sequence_high, ${sequence})
        where id = ${deviceId}`;
    },
    secondWriterSeen: ({ userId, deviceId }, sequence) =>
      sql.begin(async (tx) => {
        await tx`update devices set must_reauthenticate = true where id = ${deviceId}`;
        const ended = await endFamiliesOfDevice(tx, deviceId, 'clone_suspected');
        await tx`insert into auth_events (id, user_id, device_id, kind, detail)
          values (${newId()}, ${userId}, ${deviceId}, 'clone_suspected', ${tx.json({ sequence })})`;
        return ended;
      }),
  };
}

interface DeviceRow {
  readonly user_id: string;
  readonly id: string;
  readonly public_key: Buffer;
  readonly sequence_high: number;
  readonly must_reauthenticate: boolean;
  readonly revoked: boolean;
}

const toKnownDevice = (row: DeviceRow): KnownDevice => ({
  userId: row.user_id,
  deviceId: row.id,
  revoked: row.revoked,
  sequenceHigh: row.sequence_high,
  mustReauthenticate: row.must_reauthenticate,
});
