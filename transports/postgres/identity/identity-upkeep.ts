/** Finds what was restricted lately and removes what is past keeping, in PostgreSQL. */
import type { IdentityUpkeep } from '../../../actors/identity/token-janitor.ts';
import { createAccountErasure } from '../account/account-erasure.ts';
import type { SystemSql } from '../connection/system.ts';

export function createIdentityUpkeep(sql: SystemSql): IdentityUpkeep {
  const erasure = createAccountErasure(sql);
  return {
    async recentRestrictions(withinMs) {
      const since = sql`now() - ${withinMs} * interval '1 millisecond'`;
      const [families, users] = await Promise.all([
        sql<{ id: string }[]>`select id from refresh_token_families where revoked_at > ${since}`,
        sql<{ id: string }[]>`select user_id as id from users_credits where suspended_at > ${since}`,
      ]);
      return { familyIds: families.map((row) => row.id), suspendedUserIds: users.map((row) => row.id) };
    },
    async removeExpired() {
      // Tokens go with their family. A revoked family is kept a while: its reuse is still worth recognising as such.
      const [families] = await sql<{ removed: number }[]>`
        with gone as (
          delete from refresh_token_families where id in (
            select id from refresh_token_families where expires_at < now() - interval '7 days' limit ${BATCH})
          returning session_id
        ), ended as (
          update sessions set ended_at = now(), end_reason = 'expired'
          where id in (select session_id from gone) and ended_at is null
        )
        select count(*) as removed from gone`;
      const events = await sql`
        delete from auth_events where id in (
          select id from auth_events where created_at < now() - interval '90 days' order by created_at limit ${BATCH})`;
      return (families?.removed ?? 0) + events.count + (await erasure.sweep());
    },
  };
}

/** Small enough to hold no lock for long. */
const BATCH = 5000;
