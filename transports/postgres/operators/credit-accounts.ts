/** Credits as an operator handles them: gives some, looks at an account, proves that every balance is the sum of its ledger. */
import { newId } from '../../../actors/identity/new-id.ts';
import { VelloError } from '../../../config/errors.ts';
import type { Sql, TransactionSql } from '../connection/connect.ts';
import { moveCredits } from '../credits/ledger.ts';
import { recordDeed } from './operator-log.ts';

export interface CreditGift {
  readonly userId: string;
  /** Whole credits, more than 0. */
  readonly amount: number;
  readonly reason: string;
  readonly operator: string;
  /** The same key again gives nothing more. */
  readonly idempotencyKey: string;
}

export interface CreditGiven {
  readonly balance: number;
  readonly duplicate: boolean;
  readonly reinstated: boolean;
  /** Each device's number of its `credits_updated` message, and the message. */
  readonly told: readonly { readonly deviceId: string; readonly seq: number; readonly balance: number }[];
}

/** @throws VelloError `USER_UNKNOWN`, `IDEMPOTENCY_CONFLICT` */
export async function giveCredits(sql: Sql, gift: CreditGift): Promise<CreditGiven> {
  const { userId, amount, reason, operator } = gift;
  const idempotencyKey = `operator:${gift.idempotencyKey}`;
  const movement = { userId, delta: amount, kind: 'grant', idempotencyKey } as const;
  return sql.begin(async (tx): Promise<CreditGiven> => {
    // Alone with the balance from here on: the key is either used by now, or it is ours.
    const [user] = await tx`
      select from users_credits c join users u on u.id = c.user_id and u.deleted_at is null
      where c.user_id = ${userId} for update of c`;
    if (user === undefined) throw new VelloError('USER_UNKNOWN');
    const [used] = await tx`
      select from credit_transactions where user_id = ${userId} and idempotency_key = ${idempotencyKey}`;
    if (used !== undefined) return { ...(await moveCredits(tx, movement)), told: [] };
    const grantId = newId();
    await tx`insert into credit_grants (id, user_id, kind, amount, granted_by, reason)
      values (${grantId}, ${userId}, 'operator', ${amount}, ${operator}, ${reason})`;
    const moved = await moveCredits(tx, { ...movement, grantId });
    await recordDeed(tx, { operator, action: 'credits grant', target: userId, detail: { amount, reason } });
    return { ...moved, told: await tellDevices(tx, userId, moved.balance) };
  });
}

export interface CreditAccount {
  readonly balance: number;
  readonly entries: number;
  readonly suspendedAt: Date | null;
  readonly newest: readonly {
    readonly at: Date;
    readonly kind: string;
    readonly delta: number;
    readonly balance: number;
  }[];
}

/** Undefined where there is no such user. */
export async function readCreditAccount(sql: Sql, userId: string, limit: number): Promise<CreditAccount | undefined> {
  const [account] = await sql<Omit<CreditAccount, 'newest'>[]>`
    select balance, entries, suspended_at as "suspendedAt" from users_credits where user_id = ${userId}`;
  if (account === undefined) return undefined;
  const newest = await sql<CreditAccount['newest'][number][]>`
    select created_at as at, kind, delta, balance_after as balance from credit_transactions
    where user_id = ${userId} order by entry desc limit ${limit}`;
  return { ...account, newest };
}

export interface LedgerAudit {
  readonly users: number;
  readonly entries: number;
  /** Accounts whose balance, number of entries or running sums are not what their ledger says. */
  readonly broken: readonly { readonly userId: string; readonly problem: string }[];
}

/**
 * Reads the whole ledger in one snapshot: every balance equals its sum, entries are numbered without a gap, each entry's balance is
 * the sum up to it, each job's charge is in the ledger, and whoever has nothing left is suspended.
 */
export async function auditLedger(sql: Sql): Promise<LedgerAudit> {
  return sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx`set local statement_timeout = 0`;
    const [size] = await tx<{ users: number; entries: number }[]>`
      select (select count(*) from users_credits) as users, (select count(*) from credit_transactions) as entries`;
    const broken = await tx<{ userId: string; problem: string }[]>`
      with summed as (
        select user_id, sum(delta) as total, count(*) as n, max(entry) as newest from credit_transactions group by user_id
      ), running as (
        select user_id, entry, balance_after <> sum(delta) over (partition by user_id order by entry) as wrong
        from credit_transactions
      )
      select c.user_id as "userId", 'the balance is not the sum of the ledger' as problem
        from users_credits c left join summed s using (user_id) where c.balance <> coalesce(s.total, 0)
      union all select c.user_id, 'entries are missing'
        from users_credits c left join summed s using (user_id)
        where c.entries <> coalesce(s.n, 0) or c.entries <> coalesce(s.newest, 0)
      union all select user_id, 'entry ' || min(entry) || ' carries a wrong balance' from running where wrong group by user_id
      union all select j.user_id, 'a job''s charge is not in the ledger'
        from jobs j left join credit_transactions t on t.job_id = j.id
        where coalesce(t.delta, 0) <> -j.credits_deducted
      union all select user_id, 'has nothing left and is not suspended'
        from users_credits where balance <= 0 and entries > 0 and suspended_at is null
      order by 1, 2`;
    return { users: size?.users ?? 0, entries: size?.entries ?? 0, broken };
  });
}

async function tellDevices(tx: TransactionSql, userId: string, balance: number): Promise<CreditGiven['told']> {
  const devices = await tx<{ deviceId: string; seq: number }[]>`
    with told as (
      update devices set last_message_seq = last_message_seq + 1 where user_id = ${userId} and revoked_at is null
      returning id, user_id, last_message_seq as seq
    ), outbox as (
      insert into device_messages (device_id, seq, user_id, type, body)
      select id, seq, user_id, 'credits_updated', ${tx.json({ balance })} from told
    )
    select id as "deviceId", seq from told`;
  return devices.map((device) => ({ ...device, balance }));
}
