/** What an owner may read of an account, as it is answered. Every call shows one user's rows and no other's. */

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

export interface JobRecord {
  readonly job_id: string;
  readonly device_id: string;
  readonly session_id: string;
  readonly event_id: string;
  readonly request_id: string;
  readonly type: 'transcribe' | 'process';
  readonly provider: string;
  readonly model: string;
  readonly outcome: string;
  readonly status: number;
  readonly audio_seconds: number | null;
  readonly audio_source: string;
  readonly usage: unknown;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly ttfb_ms: number | null;
  readonly duration_ms: number;
  readonly credits_deducted: number;
  readonly started_at: Date;
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
