/**
 * Reads all that is kept about one account, section by section, page by page. Each page is a tenant transaction of its own: a slow reader
 * holds no connection, and the export is not a snapshot of one moment.
 */
import { SHOWN_JOB_COLUMNS, type AccountExport, type ExportPage } from '../../../actors/account/account-records.ts';
import type { TenantDatabase, TenantSql } from '../connection/tenant.ts';

interface Section {
  readonly name: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** Unique within a user; the order of the export. */
  readonly key: readonly [string] | readonly [string, string];
}

export const EXPORT_SECTIONS: readonly Section[] = [
  { name: 'account', table: 'users', columns: ['id', 'created_at'], key: ['id'] },
  {
    name: 'devices',
    table: 'devices',
    columns: ['id', 'name', 'os', 'app_version', 'clock_skew_ms', 'created_at', 'last_seen_at', 'revoked_at'],
    key: ['id'],
  },
  {
    name: 'device_keys',
    table: 'device_keys',
    columns: ['public_key', 'device_id', 'created_at', 'revoked_at'],
    key: ['public_key'],
  },
  {
    name: 'device_fingerprints',
    table: 'device_fingerprints',
    columns: ['entry', 'device_id', 'component', 'seen_at'],
    key: ['entry'],
  },
  {
    name: 'sessions',
    table: 'sessions',
    columns: ['id', 'device_id', 'app_version', 'started_at', 'last_seen_at', 'ended_at', 'end_reason'],
    key: ['id'],
  },
  {
    name: 'auth_events',
    table: 'auth_events',
    columns: ['id', 'device_id', 'kind', 'detail', 'created_at'],
    key: ['id'],
  },
  { name: 'balance', table: 'users_credits', columns: ['user_id', 'balance', 'suspended_at'], key: ['user_id'] },
  { name: 'credit_grants', table: 'credit_grants', columns: ['id', 'kind', 'amount', 'created_at'], key: ['id'] },
  {
    name: 'ledger',
    table: 'credit_transactions',
    columns: ['entry', 'delta', 'balance_after', 'kind', 'job_id', 'created_at'],
    key: ['entry'],
  },
  {
    name: 'jobs',
    table: 'jobs',
    columns: ['id', ...SHOWN_JOB_COLUMNS, 'credits_deducted', 'created_at', 'transcribed_at'],
    key: ['id'],
  },
  {
    name: 'job_events',
    table: 'job_events',
    columns: ['job_id', 'kind', 'detail', 'created_at'],
    key: ['job_id', 'kind'],
  },
  {
    name: 'transcriptions',
    table: 'transcriptions',
    columns: ['job_id', 'device_id', 'text', 'source', 'created_at'],
    key: ['job_id'],
  },
  { name: 'kept_texts', table: 'processing_results', columns: ['job_id', 'text', 'created_at'], key: ['job_id'] },
  {
    name: 'messages',
    table: 'device_messages',
    columns: ['device_id', 'seq', 'type', 'body', 'created_at'],
    key: ['device_id', 'seq'],
  },
  {
    name: 'abandoned_events',
    table: 'dead_letters',
    columns: ['id', 'event_id', 'fields', 'error_code', 'created_at', 'resolved_at'],
    key: ['id'],
  },
];

const PAGE = 500;

/** @param pageRows rows of one page */
export function createAccountExport(tenants: TenantDatabase, pageRows: number = PAGE): AccountExport {
  return {
    async *pages(userId) {
      for (const section of EXPORT_SECTIONS) {
        let last: Row | undefined;
        let full = true;
        while (full) {
          const after = last;
          const rows = await tenants.withTenant(userId, (tx) => readPage(tx, section, after, pageRows));
          yield { section: section.name, rows: rows.map(toAnswer) } satisfies ExportPage;
          last = rows.at(-1);
          full = rows.length === pageRows;
        }
      }
    },
  };
}

type Row = Readonly<Record<string, string | number | Buffer | null>>;

function readPage(tx: TenantSql, section: Section, last: Row | undefined, limit: number) {
  const [first, second] = section.key;
  const key = second === undefined ? tx`${tx(first)}` : tx`${tx(first)}, ${tx(second)}`;
  const seen = (name: string) => last?.[name] ?? null;
  const at = second === undefined ? tx`${seen(first)}` : tx`${seen(first)}, ${seen(second)}`;
  return tx<Row[]>`
    select ${tx([...section.columns])} from ${tx(section.table)}
    where ${last === undefined ? tx`true` : tx`(${key}) > (${at})`} order by ${key} limit ${limit}`;
}

/** Byte strings in JSON are base64url (contract §3). */
const toAnswer = (row: Row): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString('base64url') : value]),
  );
