/** Brings a database to the schema of this build: forward only, once per file, whoever runs it and how often. The SQL is in `migrations/`. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { VelloError } from '../../config/errors.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { RolePasswords } from '../../actors/ports/role-passwords.ts';
import { connectPostgres, type AdminSql } from './connect.ts';
import { ensureDatabaseRoles, OWNER_ROLE, RUNTIME_ROLES } from './database-roles.ts';

export interface Migration {
  /** The number its file name starts with. */
  readonly version: number;
  readonly name: string;
  readonly text: string;
  /** SHA-256 of the text, hex. */
  readonly checksum: string;
}

export interface MigrateOptions {
  readonly adminUrl: string;
  readonly passwords: RolePasswords;
  readonly log?: Log;
  /** Absent: the migrations of this build. */
  readonly migrations?: readonly Migration[];
}

/**
 * Returns the names of the migrations that this call applied. Two processes may call it at once: one waits for the other.
 * A database ahead of this build is left as it is.
 * @throws VelloError `SECRET_KEY_WRONG`, `MIGRATION_FAILED`, `MIGRATION_CHANGED`
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const migrations = options.migrations ?? readMigrations();
  const sql = connectPostgres(options.adminUrl, { max: 1, name: 'vello migrate', statementTimeoutMs: 0 });
  try {
    await sql`select pg_advisory_lock(${ADVISORY_LOCK})`;
    await ensureDatabaseRoles(sql, options.passwords);
    const applied = await appliedMigrations(sql);
    const now: string[] = [];
    for (const migration of migrations) {
      const before = applied.get(migration.version);
      if (before === undefined) {
        await apply(sql, migration);
        now.push(migration.name);
        options.log?.info('Applied a database migration', { migration: migration.name });
      } else if (before !== migration.checksum) {
        throw new VelloError('MIGRATION_CHANGED', `Migration ${migration.name} was applied in another wording.`);
      }
    }
    return now;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** The migrations of this build, in order. @throws VelloError `MIGRATION_CHANGED` where two files have one number: the second would never run */
export function readMigrations(): readonly Migration[] {
  const folder = fileURLToPath(new URL('./migrations/', import.meta.url));
  const migrations = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => {
      const text = readFileSync(`${folder}${name}`, 'utf8');
      return {
        version: Number.parseInt(name, 10),
        name,
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
      };
    });
  const twice = migrations.find(({ version }, index) => migrations[index - 1]?.version === version);
  if (twice !== undefined)
    throw new VelloError('MIGRATION_CHANGED', `Two migrations have the number of ${twice.name}.`);
  return migrations;
}

/** Any constant of our own: all Vello migrations of one database wait for each other on it. */
const ADVISORY_LOCK = 0x76656c6c6f;

async function appliedMigrations(sql: AdminSql): Promise<ReadonlyMap<number, string>> {
  await sql.unsafe(`
    set role ${OWNER_ROLE};
    create table if not exists schema_migrations (
      version    int primary key,
      name       text not null,
      checksum   text not null,
      applied_at timestamptz not null default now()
    );
    comment on table schema_migrations is 'Which migrations this database has seen, and their wording at that time.';
    grant select on schema_migrations to ${RUNTIME_ROLES.join(', ')};
    reset role`);
  const rows = await sql<{ version: number; checksum: string }[]>`select version, checksum from schema_migrations`;
  return new Map(rows.map((row) => [row.version, row.checksum]));
}

/** One transaction a file: a migration is wholly there or not at all. */
async function apply(sql: AdminSql, migration: Migration): Promise<void> {
  try {
    await sql.begin(async (tx) => {
      await tx.unsafe(`set local role ${OWNER_ROLE}; set local lock_timeout = '10s'`);
      await tx.unsafe(migration.text);
      await tx`insert into schema_migrations (version, name, checksum)
        values (${migration.version}, ${migration.name}, ${migration.checksum})`;
    });
  } catch (error) {
    throw new VelloError('MIGRATION_FAILED', `Migration ${migration.name} failed: ${String(error)}`, { cause: error });
  }
}
