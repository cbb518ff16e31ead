/**
 * Work that may have to wait for what another session has locked. Whoever waits says for whom, and whoever gives up names the holder and how
 * to end it: a lock that was left behind must not look like a start that hangs.
 */
import { VelloError } from '../../../config/errors.ts';
import { connectPostgres, type AdminSql } from '../connection/connect.ts';

export interface LockWatch {
  /** For a connection of its own, made only once something waits. */
  readonly url: string;
  /** Told who holds the lock, once for each holder. */
  readonly onWait?: (holder: string) => void;
}

/** How PostgreSQL calls what `lock_timeout` ended. */
export const LOCK_TIMEOUT = '55P03';
/** What waits for less than this is nobody's concern. */
const LOOK_EVERY_MS = 1000;

/**
 * Runs `work`, whose statements all go over `sql`, a pool of one connection with a `lock_timeout`.
 * @throws VelloError `DATABASE_LOCKED` where that timeout ended it; else whatever `work` throws
 */
export async function watchLocks<T>(sql: AdminSql, watch: LockWatch, work: () => Promise<T>): Promise<T> {
  const [session] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const watcher = connectPostgres(watch.url, { max: 1, name: 'vello lock watch' });
  let holder: string | undefined;
  const look = async () => {
    const found = await findHolder(watcher, session?.pid ?? 0);
    if (found === undefined || found === holder) return;
    holder = found;
    watch.onWait?.(found);
  };
  // Who holds the lock is a help and no condition: where it cannot be asked, the wait ends all the same.
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_EVERY_MS);
  try {
    return await work();
  } catch (error) {
    if ((error as { code?: unknown }).code !== LOCK_TIMEOUT) throw error;
    throw new VelloError(
      'DATABASE_LOCKED',
      `The wait is over, and it is still locked by ${holder ?? 'another session'}. Start again once that has ended.`,
      { cause: error },
    );
  } finally {
    clearInterval(timer);
    await watcher.end({ timeout: 1 });
  }
}

interface Holder {
  readonly pid: number;
  readonly name: string;
  readonly user: string | null;
  readonly state: string | null;
  readonly since: Date | null;
}

/** `process 4711 of the server ("psql" as postgres, idle in transaction since 12:00:01; select pg_terminate_backend(4711) ends it)`. */
async function findHolder(sql: AdminSql, waiting: number): Promise<string | undefined> {
  const [first] = await sql<Holder[]>`
    select pid, coalesce(nullif(application_name, ''), 'unnamed') as name, usename as user, state, state_change as since
    from pg_stat_activity where pid = any(pg_blocking_pids(${waiting})) order by xact_start nulls last, pid limit 1`;
  if (first === undefined) return undefined;
  const { pid, name, user, state, since } = first;
  // Of other users' sessions an administrator without pg_read_all_stats sees no more than the name.
  const seen = state === null || since === null ? '' : `, ${state} since ${since.toISOString()}`;
  return `process ${pid} of the server ("${name}" as ${user ?? 'nobody'}${seen}; select pg_terminate_backend(${pid}) ends it)`;
}
