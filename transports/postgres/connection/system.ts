/** The one door for what must cross users: sign-in by key or token hash, settling events, clean-up. Everything else uses `tenant.ts`. */
import type { Sql } from './connect.ts';

declare const opened: unique symbol;

/** The pool of `vello_service`, whose grants say what it may touch. Query functions that cross users take this and nothing else. */
export type SystemSql = Sql & { readonly [opened]: true };

/** `sql` must be logged in as `vello_service`; see `runtime-role.ts` and docs/decisions/database-roles.md. */
export function createSystemDatabase(sql: Sql): SystemSql {
  return sql as SystemSql;
}
