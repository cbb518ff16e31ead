/** Hears which tables were changed: the database announces it with the commit (migrations 0005 and 0010). */
import type { AnnouncedChanges, AnnouncedTable } from '../../../actors/ports/announced-changes.ts';
import type { Sql } from '../connection/connect.ts';

export function createAnnouncedChanges(sql: Sql): AnnouncedChanges {
  return {
    async follow(changed) {
      const listening = await sql.listen(
        'vello_changed',
        (table) => changed(TABLES.find((known) => known === table)),
        () => changed(undefined),
      );
      return () => listening.unlisten();
    },
  };
}

const TABLES: readonly AnnouncedTable[] = ['service_accounts', 'service_keys', 'signing_keys', 'system_prompts'];
