/** What an owner may read of an account, as it is answered. Every call shows one user's rows and no other's. */
import { JOB_COLUMNS, type JobColumn, type JobColumnValues } from '../events/usage-event.ts';

export interface AccountRecord {
  readonly user_id: string;
  readonly created_at: Date;
  readonly credits: {
    readonly balance: number;
    /** The gateway refuses this account for want of credits. */
    readonly suspended: boolean;
  };
}

export interface DeviceRecord {
  readonly device_id: string;
  readonly name: string;
  readonly os: string;
  readonly app_version: string;
  readonly created_at: Date;
  readonly last_seen_at: Date;
  readonly revoked_at: Date | null;
}

export interface LedgerRecord {
  /** Counts from 1 without gaps. */
  readonly entry: number;
  readonly delta: number;
  readonly balance_after: number;
  readonly kind: 'grant' | 'charge' | 'erasure';
  readonly job_id: string | null;
  readonly created_at: Date;
}

/** The owner is who asks. */
export type ShownJobColumn = Exclude<JobColumn, 'user_id'>;
export const SHOWN_JOB_COLUMNS = JOB_COLUMNS.map(({ name }) => name).filter((name) => name !== 'user_id');

/** What is kept of its usage event, as the columns are, and what became of it. */
export interface JobRecord extends Omit<JobColumnValues, 'user_id'> {
  readonly job_id: string;
  readonly credits_deducted: number;
  readonly created_at: Date;
  /** When the text reached its owner. */
  readonly transcribed_at: Date | null;
}

export interface JobDetails extends JobRecord {
  readonly transcription: {
    readonly text: string;
    readonly source: 'device' | 'gateway';
    readonly created_at: Date;
  } | null;
  /** Text that the gateway kept because its desktop had gone. */
  readonly kept_text: string | null;
}

export interface TranscriptionRecord {
  readonly job_id: string;
  readonly device_id: string;
  readonly text: string;
  readonly source: 'device' | 'gateway';
  readonly created_at: Date;
}

/** The rows that follow `after` (the key of the last row seen), at most `limit`, newest first. */
export interface Slice<K> {
  readonly after: K | undefined;
  readonly limit: number;
}

export interface AccountRecords {
  /** Undefined once the account was deleted. */
  account(userId: string): Promise<AccountRecord | undefined>;
  devices(userId: string, slice: Slice<string>): Promise<readonly DeviceRecord[]>;
  device(userId: string, deviceId: string): Promise<DeviceRecord | undefined>;
  ledger(userId: string, slice: Slice<number>): Promise<readonly LedgerRecord[]>;
  jobs(userId: string, slice: Slice<string>): Promise<readonly JobRecord[]>;
  job(userId: string, jobId: string): Promise<JobDetails | undefined>;
  transcriptions(userId: string, slice: Slice<string>): Promise<readonly TranscriptionRecord[]>;
}

export interface ExportPage {
  readonly section: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** All that is kept about an account, for its owner to take away. */
export interface AccountExport {
  /** Every section at least once, in order; the pages of one section follow each other. Holds nothing open between two pages. */
  pages(userId: string): AsyncIterable<ExportPage>;
}
