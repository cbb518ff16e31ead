/** The PostgreSQL roles of Vello: their names, their creation, and the address each connects with. What each may touch is said by the migrations. */
import type { RolePasswords } from '../../../actors/crypto/secrets.ts';
import { connectPostgres, type AdminSql } from '../connection/connect.ts';
import { claimServer } from './installation-key.ts';

/** Owns every table; nobody logs in as it. */
export const OWNER_ROLE = 'vello_owner';

/** `vello_api` acts for one user at a time, `vello_service` for the system, `vello_operator` for a person at the command line. */
export const RUNTIME_ROLES = ['vello_api', 'vello_service', 'vello_operator'] as const;
export type RuntimeRole = keyof RolePasswords;

/**
 * Creates what is missing and sets the passwords. Safe to run from several processes, databases of one server included.
 * @throws VelloError `SECRET_KEY_WRONG`, before any password is changed
 */
export async function ensureDatabaseRoles(sql: AdminSql, adminUrl: string, passwords: RolePasswords): Promise<void> {
  await retried(() => sql.unsafe(`do $$ begin create role ${OWNER_ROLE} nologin; ${ALREADY_THERE} end $$`));
  await retried(() =>
    sql.unsafe(`do $$ begin
      if not pg_has_role(current_user, '${OWNER_ROLE}', ${MAY_SET_ROLE}) then grant ${OWNER_ROLE} to current_user; end if;
    end $$`),
  );
  const opens = () => opensWith(sql, runtimeUrl(adminUrl, 'vello_service', passwords));
  await retried(() => claimServer(sql, OWNER_ROLE, passwords, opens));
  for (const role of RUNTIME_ROLES) {
    await retried(() => sql.unsafe(`do $$ begin create role ${role} login noinherit; ${ALREADY_THERE} end $$`));
    await retried(() => sql.unsafe(`alter role ${role} login noinherit password ${literal(passwords[role])}`));
  }
  await retried(() =>
    sql.unsafe(`
      revoke create on schema public from public;
      grant usage on schema public to ${RUNTIME_ROLES.join(', ')};
      grant usage, create on schema public to ${OWNER_ROLE}`),
  );
}

/** Whether the password in `url` is that of its role. A role that is not there yet, or cannot be tried, speaks against nobody. */
async function opensWith(sql: AdminSql, url: string): Promise<boolean> {
  const [role] = await sql`select from pg_roles where rolname = 'vello_service' and rolcanlogin`;
  if (role === undefined) return true;
  const service = connectPostgres(url, { max: 1, name: 'vello key check', connectTimeoutMs: 5000 });
  try {
    await service`select 1`;
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code !== '28P01';
  } finally {
    await service.end({ timeout: 1 });
  }
}

/** The administrator's address, changed to log in as `role`. */
export function runtimeUrl(adminUrl: string, role: RuntimeRole, passwords: RolePasswords): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = passwords[role];
  return url.toString();
}

/** Who creates a role without being superuser is a member of it, but from PostgreSQL 16 on one that may not act as it. */
const MAY_SET_ROLE = `case when current_setting('server_version_num')::int >= 160000 then 'SET' else 'MEMBER' end`;

const ALREADY_THERE = 'exception when duplicate_object or unique_violation then null;';

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Roles are shared by all databases of a server and advisory locks are not: two migrations may meet on one role row. */
async function retried(attempt: () => Promise<unknown>): Promise<void> {
  for (let left = 9; ; left -= 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      const met = error instanceof Error && /concurrently (updated|deleted)/.test(error.message);
      if (!met || left === 0) throw error;
    }
  }
}
