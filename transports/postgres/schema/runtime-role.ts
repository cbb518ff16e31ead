/** Opens the pools that serve. Decides at start whether their role is harmless enough, and whether the tables it will reach are guarded. */
import type { RolePasswords } from '../../../actors/crypto/secrets.ts';
import { VelloError } from '../../../config/errors.ts';
import { readMigrations } from './migrate.ts';
import { connectPostgres, type Sql } from '../connection/connect.ts';
import { OWNER_ROLE, runtimeUrl, type RuntimeRole } from './database-roles.ts';

/**
 * Returns a lazy pool that is logged in as `role`, whose statements look rows up by an index. The server keeps the plan of a foreign
 * key's check until the table is next analysed: one made while the table was small would read all of it for each row that is added
 * meanwhile (docs/decisions/settlement.md).
 */
export function connectRuntime(
  databaseUrl: string,
  role: RuntimeRole,
  options: { readonly passwords: RolePasswords; readonly max: number; readonly name: string },
): Sql {
  const { passwords, ...pool } = options;
  // Statements that find no index look so dear without table scans that the server would compile them at every call.
  const settings = { enable_seqscan: 'off', jit: 'off' };
  return connectPostgres(runtimeUrl(databaseUrl, role, passwords), { ...pool, settings });
}

/**
 * Resolves when `sql` is logged in as `role`, which owns nothing and bypasses nothing, every table with a user's data has
 * Row Level Security enabled, forced and with a policy, and the schema is at least as new as this build.
 * @throws VelloError `DATABASE_ROLE_UNSAFE`, `DATABASE_UNGUARDED`, `DATABASE_NOT_MIGRATED`
 */
export async function checkRuntimeRole(sql: Sql, role: RuntimeRole): Promise<void> {
  const problems = await roleProblems(sql, role);
  if (problems.length > 0) throw new VelloError('DATABASE_ROLE_UNSAFE', `The database role ${problems.join(', ')}.`);
  await checkSchemaVersion(sql);
  const open = await unguardedTables(sql);
  if (open.length > 0) {
    throw new VelloError(
      'DATABASE_UNGUARDED',
      `Row Level Security is not enabled, forced and ruled on: ${open.join(', ')}.`,
    );
  }
}

/** Tables with a user's data (a `user_id` column, or `users` itself) that some role could read across users. */
export async function unguardedTables(sql: Sql): Promise<readonly string[]> {
  const rows = await sql<{ name: string }[]>`
    select c.relname as name
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and (c.relname = 'users' or exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped))
      and not (c.relrowsecurity and c.relforcerowsecurity and exists (select from pg_policy p where p.polrelid = c.oid))
    order by 1`;
  return rows.map((row) => row.name);
}

async function roleProblems(sql: Sql, role: RuntimeRole): Promise<readonly string[]> {
  const [row] = await sql<
    { name: string; super: boolean; bypass: boolean; creator: boolean; owner: boolean; owns: boolean }[]
  >`
    select r.rolname as name, r.rolsuper as super, r.rolbypassrls as bypass, r.rolcreaterole or r.rolcreatedb as creator,
      coalesce((select pg_has_role(r.oid, o.oid, 'MEMBER') from pg_roles o where o.rolname = ${OWNER_ROLE}), false) as owner,
      exists (select from pg_class c where c.relowner = r.oid) as owns
    from pg_roles r where r.rolname = current_user`;
  if (row === undefined) return ['is unknown to the database'];
  return [
    ...(row.name === role ? [] : [`is ${row.name}, not ${role}`]),
    ...(row.super ? ['is a superuser'] : []),
    ...(row.bypass ? ['bypasses Row Level Security'] : []),
    ...(row.creator ? ['may create roles or databases'] : []),
    ...(row.owner ? [`is a member of ${OWNER_ROLE}`] : []),
    ...(row.owns ? ['owns relations'] : []),
  ];
}

async function checkSchemaVersion(sql: Sql): Promise<void> {
  const wanted = readMigrations().at(-1)?.version ?? 0;
  const [there] = await sql<{ yes: boolean }[]>`select to_regclass('public.schema_migrations') is not null as yes`;
  const [row] = there?.yes
    ? await sql<{ version: number | null }[]>`select max(version) as version from schema_migrations`
    : [];
  const found = row?.version ?? 0;
  if (found < wanted) {
    throw new VelloError('DATABASE_NOT_MIGRATED', `The database is at migration ${found}; this build needs ${wanted}.`);
  }
}
