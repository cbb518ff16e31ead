/** Hears which tables were changed, whoever changed them: the database announces it with the commit (migration 0005). */
import type { Sql } from './connect.ts';

export type AnnouncedTable = 'service_accounts' | 'service_keys' | 'signing_keys';

/**
 * Calls `changed` for each announcement, and without a table whenever the connection was lost and is back: something may have
 * been missed then. Returns a function that ends it.
 */
export async function followChanges(
  sql: Sql,
  changed: (table: AnnouncedTable | undefined) => void,
): Promise<() => Promise<void>> {
  const listening = await sql.listen(
    'vello_changed',
    (table) => changed(TABLES.find((known) => known === table)),
    () => changed(undefined),
  );
  return () => listening.unlisten();
}

const TABLES: readonly AnnouncedTable[] = ['service_accounts', 'service_keys', 'signing_keys'];
