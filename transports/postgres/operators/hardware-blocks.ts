/** Hardware blocks as an operator handles them. A block stops registrations, refreshes and, through its families, open sessions. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { Sql } from '../connection/connect.ts';
import { recordDeed } from './operator-log.ts';

export interface Blocking {
  readonly deviceId: string;
  readonly reason: string;
  readonly operator: string;
}

/** Blocks the hardware of a device. Returns it and the token families that ended; undefined where there is no such device. */
export async function blockHardware(
  sql: Sql,
  { deviceId, reason, operator }: Blocking,
): Promise<{ readonly hardwareId: string; readonly familyIds: readonly string[] } | undefined> {
  return sql.begin(async (tx) => {
    const [device] = await tx<{ hardware_id: string }[]>`select hardware_id from devices where id = ${deviceId}`;
    if (device === undefined) return undefined;
    const hardwareId = device.hardware_id;
    await tx`insert into device_blocks (id, hardware_id, source, reason, blocked_by)
      values (${newId()}, ${hardwareId}, 'operator', ${reason}, ${operator}) on conflict do nothing`;
    const ended = await tx<{ id: string }[]>`
      with affected as (select id from devices where hardware_id = ${hardwareId}),
        closed as (update sessions set ended_at = now(), end_reason = 'blocked'
          where device_id in (select id from affected) and ended_at is null)
      update refresh_token_families set revoked_at = now()
      where device_id in (select id from affected) and revoked_at is null returning id`;
    await recordDeed(tx, {
      operator,
      action: 'device block',
      target: hardwareId,
      detail: { device: deviceId, reason },
    });
    return { hardwareId, familyIds: ended.map((family) => family.id) };
  });
}

/** Lifts an operator's block of a device's hardware. Returns how many there were: 0 or 1. The rule's are counted anew each time. */
export async function unblockHardware(sql: Sql, { deviceId, reason, operator }: Blocking): Promise<number> {
  return sql.begin(async (tx) => {
    const lifted = await tx<{ hardware_id: string }[]>`
      update device_blocks set lifted_at = now()
      where hardware_id = (select hardware_id from devices where id = ${deviceId})
        and source = 'operator' and lifted_at is null returning hardware_id`;
    const detail = { device: deviceId, reason, lifted: lifted.length };
    const target = lifted[0]?.hardware_id ?? deviceId;
    await recordDeed(tx, { operator, action: 'device unblock', target, detail });
    return lifted.length;
  });
}

export interface StandingBlock {
  readonly hardwareId: string;
  readonly source: 'rule' | 'operator';
  readonly reason: string;
  readonly blockedBy: string;
  readonly at: Date;
  readonly devices: number;
}

export async function listBlocks(sql: Sql): Promise<readonly StandingBlock[]> {
  return sql<StandingBlock[]>`
    select b.hardware_id as "hardwareId", b.source, b.reason, b.blocked_by as "blockedBy", b.created_at as at,
      (select count(*) from devices d where d.hardware_id = b.hardware_id) as devices
    from device_blocks b where b.lifted_at is null order by b.created_at`;
}
