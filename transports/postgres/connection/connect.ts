/** Opens pools of PostgreSQL connections with our type mapping. Which role a pool logs in as decides what it can reach. */
import postgres from 'postgres';

/** `bigint` columns hold credits, counters and sizes, all far below 2^53, and are read as numbers. */
type Types = { bigint: number };

interface BigintAsNumber {
  to: number;
  from: number[];
  parse: (text: string) => number;
  serialize: (value: number) => string;
}

export type Sql = postgres.Sql<Types>;
export type AdminSql = Sql;
export type TransactionSql = postgres.TransactionSql<Types>;

interface PoolOptions {
  /** Most connections this pool opens. */
  readonly max: number;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** How long to wait for a connection to be made, in milliseconds. */
  readonly connectTimeoutMs?: number;
  /** A statement that runs longer is cancelled by the server. Absent: 15 000. 0: never. */
  readonly statementTimeoutMs?: number;
  /** Settings of the sessions, over those that all pools share. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Hears the server's notices. Absent: they are dropped, being chatter of `if not exists`; failures arrive as errors. */
  readonly onNotice?: (message: string) => void;
}

/** Returns a lazy pool: nothing connects before the first query. */
export function connectPostgres(url: string, options: PoolOptions): Sql {
  return postgres<{ bigint: BigintAsNumber }>(url, {
    max: options.max,
    idle_timeout: 300,
    connect_timeout: Math.ceil((options.connectTimeoutMs ?? 10_000) / 1000),
    onnotice: (notice) => options.onNotice?.(notice['message'] ?? ''),
    connection: {
      application_name: options.name,
      statement_timeout: options.statementTimeoutMs ?? 15_000,
      // A transaction that was forgotten must not hold its locks for ever.
      idle_in_transaction_session_timeout: 30_000,
      ...options.settings,
    },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  });
}
