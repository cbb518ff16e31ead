/**
 * Whether an address leads to PostgreSQL itself or to a pooler that lends sessions out (pgbouncer, RDS Proxy and their like). Behind such a
 * one settings of sessions, prepared statements and LISTEN are lost, or reach strangers: it is refused before anything is tried, by what it
 * does and not by its name.
 */
import { VelloError } from '../../../config/errors.ts';
import { connectPostgres, type Sql } from './connect.ts';

/** How long a second session may take to answer; a pooler with one connection never lets it. */
const ANSWER_WITHIN_MS = 3000;

/** Resolves where each connection is a session of its own. @throws VelloError `DATABASE_POOLED`; Error where nothing answers */
export async function checkSessions(url: string): Promise<void> {
  const connect = () => connectPostgres(url, { max: 1, name: 'vello check', connectTimeoutMs: 5000 });
  const [first, second] = [connect(), connect()];
  try {
    const mine = await look(first);
    if (mine.timeout !== '15s') throw pooled('drops the settings of sessions');
    await second.begin(async (tx) => {
      const theirs = await look(tx);
      if (theirs.pid === mine.pid) throw pooled('gives one session to several clients, each for a transaction');
      const again = await Promise.race([look(first), silence()]);
      if (again?.pid !== mine.pid) throw pooled('moves clients from one session to another between transactions');
    });
  } catch (error) {
    throw isPoolerRefusal(error) ? pooled('refuses settings of sessions', error) : error;
  } finally {
    await Promise.all([first, second].map((sql) => sql.end({ timeout: 1 })));
  }
}

/** What pgbouncer says to a client that asks for settings with its connection. PostgreSQL itself knows all of ours. */
export const isPoolerRefusal = (error: unknown): boolean =>
  error instanceof Error && /unsupported startup parameter/i.test(error.message);

/** @param does what gave it away */
export const pooled = (does: string, cause?: unknown): VelloError =>
  new VelloError(
    'DATABASE_POOLED',
    `Behind VELLO_DATABASE_URL is a pooler that ${does}. Vello keeps pools of its own and needs sessions of PostgreSQL itself, for ` +
      'LISTEN, prepared statements and time limits: give it the address of the server (pgbouncer: that of the [databases] entry). Nothing was changed.',
    { cause },
  );

/** One simple query, so that the check does not itself need what it checks. */
async function look(sql: Pick<Sql, 'unsafe'>): Promise<{ readonly pid: number; readonly timeout: string }> {
  const [row] = await sql.unsafe<{ pid: number; timeout: string }[]>(
    "select pg_backend_pid() as pid, current_setting('statement_timeout') as timeout",
  );
  return row ?? { pid: 0, timeout: '' };
}

const silence = () => new Promise<undefined>((resolve) => setTimeout(resolve, ANSWER_WITHIN_MS, undefined).unref());
