/** The one door to a user's rows: a transaction that carries the user, so that Row Level Security shows that user's rows and no other's. */
import type { Sql, TransactionSql } from './connect.ts';

declare const opened: unique symbol;

/** A transaction opened for one user. Only `TenantDatabase.withTenant` makes one, and query functions take nothing else. */
export type TenantSql = TransactionSql & { readonly [opened]: true };

export interface TenantDatabase {
  /** Runs `work` in a transaction that sees only `userId`'s rows. Commits when it resolves, rolls back when it rejects. */
  withTenant<T>(userId: string, work: (tx: TenantSql) => Promise<T>): Promise<T>;
}

/** `sql` must be logged in as `vello_api`; see `runtime-role.ts`. */
export function createTenantDatabase(sql: Sql): TenantDatabase {
  return {
    async withTenant<T>(userId: string, work: (tx: TenantSql) => Promise<T>): Promise<T> {
      const [, result] = (await sql.begin(async (tx) => {
        // Local to the transaction: a session setting would outlive it on a pooled connection. Sent at once and not waited for:
        // the connection keeps the order, and no round trip is spent.
        const carried = tx`select set_config('app.user', ${userId}, true)`.execute();
        return Promise.all([carried, work(tx as TenantSql)]);
      })) as [unknown, T];
      return result;
    },
  };
}
