/** The record of what operators did (`audit_log`): written in the transaction of the deed, never changed. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { Sql, TransactionSql } from '../connection/connect.ts';

export interface OperatorDeed {
  /** Who, as the machine knows the person. */
  readonly operator: string;
  /** What, as the command is called: `credits grant`. */
  readonly action: string;
  /** To whom or what: an id. */
  readonly target: string;
  /** Never a secret. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

export async function recordDeed(tx: TransactionSql, deed: OperatorDeed): Promise<void> {
  await tx`insert into audit_log (id, operator, action, target, detail)
    values (${newId()}, ${deed.operator}, ${deed.action}, ${deed.target}, ${tx.json(deed.detail)})`;
}

export interface RecordedDeed extends OperatorDeed {
  readonly at: Date;
}

/** The newest first: all that operators did. */
export async function readDeeds(sql: Sql, limit: number): Promise<readonly RecordedDeed[]> {
  return sql<RecordedDeed[]>`
    select operator, action, target, detail, created_at as at from audit_log
    order by created_at desc, id desc limit ${limit}`;
}

/**
 * The newest first: what operators did to `target`, be it a user, a device, the hardware of one, a service or an event, and, for a user or a
 * device, what its owner, the device itself and our rules did. Deeds against hardware concern each of its devices.
 */
export async function readDeedsOn(sql: Sql, limit: number, target: string): Promise<readonly RecordedDeed[]> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(target);
  const id = isId ? target.toLowerCase() : NO_ID;
  return sql<RecordedDeed[]>`
    with hardware as (select hardware_id::text as id from devices where id = ${id})
    select operator, action, target, detail, created_at as at from audit_log
    where target = ${target} or target in (select id from hardware) or (${isId} and detail ->> 'device' = ${id})
    union all
    select case when kind in ('registered', 'authenticated', 'logout') then 'the device'
        when kind in ('device_revoked', 'account_deleted') then 'the owner' else 'a rule' end,
      replace(kind, '_', ' '), coalesce(device_id, user_id)::text, detail, created_at
    from auth_events
    where user_id = ${id} or (user_id = (select user_id from devices where id = ${id}) and device_id = ${id})
    order by at desc limit ${limit}`;
}

/** That of nobody. */
const NO_ID = '00000000-0000-0000-0000-000000000000';
