/** Hears which tables were changed: the database announces it with the commit (migration 0005). */
import type { AnnouncedChanges, AnnouncedTable } from '../../../actors/identity/key-follower.ts';
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

const TABLES: readonly AnnouncedTable[] = ['service_accounts', 'service_keys', 'signing_keys'];
