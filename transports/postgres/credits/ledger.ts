/** Moves credits of one user, once per idempotency key: the balance first, then the ledger entry from what it became (contract §5). */
import { newId } from '../../../actors/identity/new-id.ts';
import { VelloError } from '../../../config/errors.ts';
import type { TransactionSql } from '../connection/connect.ts';

export interface CreditMovement {
  readonly userId: string;
  /** Positive gives, negative takes. Never 0. */
  readonly delta: number;
  readonly kind: 'grant' | 'charge' | 'erasure';
  /** Unique per user. The same key again moves nothing. */
  readonly idempotencyKey: string;
  readonly grantId?: string;
}

export interface CreditsMoved {
  /** After the movement; for a repeat, as it was after the first time. */
  readonly balance: number;
  readonly duplicate: boolean;
  /** The movement ended a suspension. */
  readonly reinstated: boolean;
  /** Nothing is left now. */
  readonly exhausted: boolean;
}

/**
 * In the caller's transaction, alone with the user's balance: what a concurrent movement with the same key has written is seen.
 * @throws VelloError `USER_UNKNOWN`; `IDEMPOTENCY_CONFLICT` when the key was used for another amount or kind
 */
export async function moveCredits(tx: TransactionSql, movement: CreditMovement): Promise<CreditsMoved> {
  const { userId, delta, kind, idempotencyKey } = movement;
  // A statement of its own: the next one must see what was committed while this one waited.
  const locked = tx`select from users_credits where user_id = ${userId} for update`.execute();
  const moving = tx<{ balance: number; reinstated: boolean }[]>`
    with before as materialized (
      select user_id, suspended_at from users_credits where user_id = ${userId}
    ), moved as (
      update users_credits c set balance = c.balance + ${delta}, entries = c.entries + 1, updated_at = now(),
        suspended_at = case when c.balance + ${delta} > 0 then null else coalesce(c.suspended_at, now()) end
      from before
      where c.user_id = before.user_id and not exists (
        select from credit_transactions t where t.user_id = ${userId} and t.idempotency_key = ${idempotencyKey})
      returning c.user_id, c.balance, c.entries, before.suspended_at is not null and c.balance > 0 as reinstated
    ), entry as (
      insert into credit_transactions (user_id, entry, id, delta, balance_after, kind, idempotency_key, grant_id)
      select user_id, entries, ${newId()}, ${delta}, balance, ${kind}, ${idempotencyKey}, ${movement.grantId ?? null} from moved
    )
    select balance, reinstated from moved`;
  const [, [row]] = await Promise.all([locked, moving]);
  if (row !== undefined) return { ...row, duplicate: false, exhausted: row.balance <= 0 };
  const [earlier] = await tx<{ balance: number; delta: number; kind: string }[]>`
    select balance_after as balance, delta, kind from credit_transactions
    where user_id = ${userId} and idempotency_key = ${idempotencyKey}`;
  if (earlier === undefined) throw new VelloError('USER_UNKNOWN');
  if (earlier.delta !== delta || earlier.kind !== kind) throw new VelloError('IDEMPOTENCY_CONFLICT');
  return { balance: earlier.balance, duplicate: true, reinstated: false, exhausted: earlier.balance <= 0 };
}
