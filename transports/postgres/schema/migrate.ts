/** Brings a database to the schema of this build: forward only, once per file, whoever runs it and how often. The SQL is in `migrations/`. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { VelloError } from '../../../config/errors.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { RolePasswords } from '../../../actors/crypto/secrets.ts';
import { connectPostgres, type AdminSql, type TransactionSql } from '../connection/connect.ts';
import { ensureDatabaseRoles, OWNER_ROLE, RUNTIME_ROLES } from './database-roles.ts';
import { LOCK_TIMEOUT, watchLocks } from './lock-watch.ts';

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
  /** Told who keeps this waiting, once for each. */
  readonly onWait?: (holder: string) => void;
  /** How long another process may migrate this database meanwhile. Absent: a minute. */
  readonly lockWaitMs?: number;
}

/**
 * Returns the names of the migrations that this call applied. Several processes may call it at once: each migration waits for the others.
 * A database ahead of this build is left as it is.
 * @throws VelloError `SECRET_KEY_WRONG`, `MIGRATION_FAILED`, `MIGRATION_CHANGED`, `DATABASE_LOCKED`
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const { adminUrl, log, lockWaitMs = LOCK_WAIT_MS } = options;
  const migrations = options.migrations ?? readMigrations();
  const sql = connectPostgres(adminUrl, {
    max: 1,
    name: 'vello migrate',
    statementTimeoutMs: 0,
    // What waits for a lock on a table keeps everybody behind it waiting too.
    settings: { lock_timeout: String(Math.min(TABLE_WAIT_MS, lockWaitMs)) },
  });
  const onWait = (holder: string) => {
    log?.warn('The migration waits for a lock', { holder });
    options.onWait?.(holder);
  };
  try {
    return await watchLocks(sql, { url: adminUrl, onWait }, async () => {
      await ensureDatabaseRoles(sql, adminUrl, options.passwords);
      await alone(sql, lockWaitMs, (tx) => tx.unsafe(TABLE_OF_MIGRATIONS));
      const now: string[] = [];
      for (const migration of migrations) {
        if (await apply(sql, migration, lockWaitMs)) {
          now.push(migration.name);
          log?.info('Applied a database migration', { migration: migration.name });
        }
      }
      return now;
    });
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
const LOCK_WAIT_MS = 60_000;
const TABLE_WAIT_MS = 10_000;

const TABLE_OF_MIGRATIONS = `
  set local role ${OWNER_ROLE};
  create table if not exists schema_migrations (
    version    int primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
  );
  comment on table schema_migrations is 'Which migrations this database has seen, and their wording at that time.';
  grant select on schema_migrations to ${RUNTIME_ROLES.join(', ')}`;

/**
 * One transaction, while no other process migrates this database. The lock belongs to the transaction and not to the session, so that
 * nothing can be left holding it, whatever becomes of this process or of a pooler on the way.
 */
async function alone<T>(sql: AdminSql, lockWaitMs: number, work: (tx: TransactionSql) => Promise<T>): Promise<T> {
  return (await sql.begin(async (tx) => {
    await tx`select set_config('lock_timeout', ${String(lockWaitMs)}, true)`;
    await tx`select pg_advisory_xact_lock(${ADVISORY_LOCK})`;
    await tx`select set_config('lock_timeout', ${String(Math.min(TABLE_WAIT_MS, lockWaitMs))}, true)`;
    return work(tx);
  })) as T;
}

/** One transaction a file: a migration is wholly there or not at all. Returns whether it was applied now. */
async function apply(sql: AdminSql, migration: Migration, lockWaitMs: number): Promise<boolean> {
  const { version, name, text, checksum } = migration;
  const before = await appliedAs(sql, version);
  if (before === undefined) {
    return alone(sql, lockWaitMs, async (tx) => {
      if ((await appliedAs(tx, version)) !== undefined) return false;
      try {
        await tx.unsafe(`set local role ${OWNER_ROLE}`);
        await tx.unsafe(text);
        await tx`insert into schema_migrations (version, name, checksum) values (${version}, ${name}, ${checksum})`;
        return true;
      } catch (error) {
        if ((error as { code?: unknown }).code === LOCK_TIMEOUT) throw error;
        throw new VelloError('MIGRATION_FAILED', `Migration ${name} failed: ${String(error)}`, { cause: error });
      }
    });
  }
  if (before === checksum) return false;
  throw new VelloError('MIGRATION_CHANGED', `Migration ${name} was applied in another wording.`);
}

/** The checksum of the wording that was applied, if it was. */
async function appliedAs(sql: AdminSql | TransactionSql, version: number): Promise<string | undefined> {
  const [row] = await sql<{ checksum: string }[]>`select checksum from schema_migrations where version = ${version}`;
  return row?.checksum;
}
