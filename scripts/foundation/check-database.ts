/** Asks a given PostgreSQL whether Vello can work with it, and says what is wrong in words for the person who wrote its URL. */
import postgres from 'postgres';
import { VelloError } from '../../config/errors.ts';
import { checkSessions } from '../../transports/postgres/connection/check-sessions.ts';
import { CommandError } from '../command.ts';

const OLDEST_MAJOR = 15;

/** Resolves to the server's version, `16.2`. @throws CommandError, VelloError `DATABASE_POOLED` */
export async function checkDatabase(url: string): Promise<string> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    await checkSessions(url);
    const [row] = await sql<{ number: number; version: string; creator: boolean; roles: number }[]>`
      select current_setting('server_version_num')::int as number, current_setting('server_version') as version,
        (select rolcreaterole or rolsuper from pg_roles where rolname = current_user) as creator,
        (select count(*)::int from pg_roles where rolname in ('vello_owner', 'vello_api', 'vello_service', 'vello_operator')) as roles`;
    if (row === undefined) throw new CommandError(`The database at ${describeUrl(url)} answers nothing.`);
    if (row.number < OLDEST_MAJOR * 10_000) {
      throw new CommandError(
        `The database at ${describeUrl(url)} is PostgreSQL ${row.version}; Vello needs ${OLDEST_MAJOR} or newer. ${EMBEDDED}`,
      );
    }
    if (!row.creator && row.roles < 4) {
      throw new CommandError(
        `The user of VELLO_DATABASE_URL at ${describeUrl(url)} may not create roles, and Vello's are not there yet. ` +
          `Grant it with: alter role ${new URL(url).username || 'name'} createrole; ${EMBEDDED}`,
      );
    }
    return row.version.split(' ')[0] ?? row.version;
  } catch (error) {
    if (error instanceof CommandError || error instanceof VelloError) throw error;
    throw new CommandError(`The database at ${describeUrl(url)} ${explain(error)} ${EMBEDDED}`);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const EMBEDDED = 'Correct VELLO_DATABASE_URL, or unset it to let Vello start a PostgreSQL of its own.';

/** Host, port and database, never the user's name or password. */
function describeUrl(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname || 'localhost'}:${port || '5432'}${pathname}`;
}

function explain(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  switch (code) {
    case 'ECONNREFUSED':
      return 'cannot be reached: nothing listens there.';
    case 'CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'cannot be reached: no answer.';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'cannot be reached: there is no such host.';
    case '28P01':
    case '28000':
      return 'refuses the user or password.';
    case '3D000':
      return 'does not exist on that server: create it first.';
    case '53300':
      return 'has no connection left.';
    default:
      return `cannot be used: ${message}${code === undefined ? '' : ` (${code})`}.`;
  }
}
