/** Erases accounts. What is removed, scrubbed and kept is listed here and explained in docs/decisions/account-deletion.md. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { AccountErasure } from '../../../actors/account/delete-account.ts';
import type { TransactionSql } from '../connection/connect.ts';
import { moveCredits } from '../credits/ledger.ts';
import type { SystemSql } from '../connection/system.ts';

/**
 * Removed whole, in an order that foreign keys allow. With jobs go job_events, transcriptions and processing_results; with families
 * go refresh_tokens.
 */
export const ERASED_TABLES = [
  'jobs',
  'processed_events',
  'device_messages',
  'dead_letters',
  'refresh_token_families',
  'sessions',
  'device_keys',
] as const;

export function createAccountErasure(sql: SystemSql): AccountErasure {
  return {
    async erase(userId) {
      await sql.begin((tx) => close(tx, userId));
      await empty(sql, [userId]);
    },
    async sweep() {
      const deleted = await sql<{ id: string }[]>`
        select id from users where deleted_at > now() - interval '2 days'`;
      return deleted.length === 0
        ? 0
        : empty(
            sql,
            deleted.map((row) => row.id),
          );
    },
  };
}

/** From its commit on nobody can sign in, refresh or be charged. */
async function close(tx: TransactionSql, userId: string): Promise<void> {
  const closed = await tx`
    update users set deleted_at = now() where id = ${userId} and deleted_at is null returning id`;
  if (closed.length === 0) return;
  const [credits] = await tx<{ balance: number }[]>`
    select balance from users_credits where user_id = ${userId} for update`;
  // The ledger stays and must go on adding up: the rest is given back as an entry of its own.
  if (credits !== undefined && credits.balance !== 0) {
    await moveCredits(tx, { userId, delta: -credits.balance, kind: 'erasure', idempotencyKey: 'erasure' });
  }
  // Rows that evidence of hardware hangs on: kept without what their owner wrote into them.
  await tx`
    update devices set name = 'erased', os = 'erased', app_version = 'erased', clock_skew_ms = null,
      revoked_at = coalesce(revoked_at, now())
    where user_id = ${userId}`;
  await tx`update refresh_token_families set revoked_at = now() where user_id = ${userId} and revoked_at is null`;
  await tx`delete from auth_events where user_id = ${userId}`;
  await tx`insert into auth_events (id, user_id, kind) values (${newId()}, ${userId}, 'account_deleted')`;
}

/** Few enough rows for no statement to run long, however much an account holds. */
const BATCH = 2000;

async function empty(sql: SystemSql, userIds: readonly string[]): Promise<number> {
  let removed = 0;
  for (const table of ERASED_TABLES) {
    for (let count = BATCH; count === BATCH; removed += count) {
      const gone = await sql`
        delete from ${sql(table)} where ctid in (
          select ctid from ${sql(table)} where user_id in ${sql(userIds)} limit ${BATCH})`;
      count = gone.count;
    }
  }
  return removed;
}
