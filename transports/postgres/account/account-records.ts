/** The owner's view of an account, page by page. Row Level Security picks the user; each list walks one index backwards from its cursor. */
import {
  SHOWN_JOB_COLUMNS,
  type AccountRecord,
  type AccountRecords,
  type DeviceRecord,
  type JobDetails,
  type JobRecord,
  type LedgerRecord,
  type TranscriptionRecord,
} from '../../../actors/account/account-records.ts';
import type { TenantDatabase, TenantSql } from '../connection/tenant.ts';

export function createAccountRecords(tenants: TenantDatabase): AccountRecords {
  return {
    account: (userId) =>
      tenants.withTenant(userId, async (tx) => {
        const [row] = await tx<AccountRecord[]>`
          select u.id as user_id, u.created_at,
            jsonb_build_object('balance', c.balance, 'suspended', c.suspended_at is not null) as credits
          from users u join users_credits c on c.user_id = u.id
          where u.deleted_at is null`;
        return row;
      }),

    devices: (userId, { after, limit }) =>
      tenants.withTenant(
        userId,
        (tx) => tx<DeviceRecord[]>`
          select ${deviceColumns(tx)} from devices
          where ${after === undefined ? tx`true` : tx`id < ${after}`} order by id desc limit ${limit}`,
      ),

    device: (userId, deviceId) =>
      tenants.withTenant(userId, async (tx) => {
        const [row] = await tx<DeviceRecord[]>`select ${deviceColumns(tx)} from devices where id = ${deviceId}`;
        return row;
      }),

    ledger: (userId, { after, limit }) =>
      tenants.withTenant(
        userId,
        (tx) => tx<LedgerRecord[]>`
          select entry, delta, balance_after, kind, job_id, created_at from credit_transactions
          where ${after === undefined ? tx`true` : tx`entry < ${after}`} order by entry desc limit ${limit}`,
      ),

    jobs: (userId, { after, limit }) =>
      tenants.withTenant(
        userId,
        (tx) => tx<JobRecord[]>`
          select ${jobColumns(tx)} from jobs j
          where ${after === undefined ? tx`true` : tx`j.id < ${after}`} order by j.id desc limit ${limit}`,
      ),

    job: (userId, jobId) =>
      tenants.withTenant(userId, async (tx) => {
        const [row] = await tx<(JobRecord & KeptTexts)[]>`
          select ${jobColumns(tx)}, r.text as kept_text, t.text, t.source, t.created_at as confirmed_at
          from jobs j
          left join transcriptions t on t.job_id = j.id
          left join processing_results r on r.job_id = j.id
          where j.id = ${jobId}`;
        return row === undefined ? undefined : toDetails(row);
      }),

    transcriptions: (userId, { after, limit }) =>
      tenants.withTenant(
        userId,
        (tx) => tx<TranscriptionRecord[]>`
          select job_id, device_id, text, source, created_at from transcriptions
          where ${after === undefined ? tx`true` : tx`job_id < ${after}`} order by job_id desc limit ${limit}`,
      ),
  };
}

const deviceColumns = (tx: TenantSql) =>
  tx`id as device_id, name, os, app_version, created_at, last_seen_at, revoked_at`;

const SHOWN_COLUMNS = SHOWN_JOB_COLUMNS.map((name) => `j.${name}`).join(', ');
const jobColumns = (tx: TenantSql) =>
  tx`j.id as job_id, ${tx.unsafe(SHOWN_COLUMNS)}, j.credits_deducted, j.created_at, j.transcribed_at`;

interface KeptTexts {
  readonly kept_text: string | null;
  readonly text: string | null;
  readonly source: 'device' | 'gateway';
  readonly confirmed_at: Date;
}

function toDetails({ text, source, confirmed_at, ...job }: JobRecord & KeptTexts): JobDetails {
  return { ...job, transcription: text === null ? null : { text, source, created_at: confirmed_at } };
}
