/** Signs in to PostgreSQL as each role of a process and out again. */
import type { RolePasswords } from '../../../actors/crypto/secrets.ts';
import type { StoreLogins } from '../../../actors/programs/login-watch.ts';
import { connectPostgres } from '../connection/connect.ts';
import { runtimeUrl, type RuntimeRole } from './database-roles.ts';

const ANSWER_WITHIN_MS = 2000;

export function createTryLogins(
  databaseUrl: string,
  roles: readonly RuntimeRole[],
  passwords: RolePasswords,
): StoreLogins {
  return {
    problem: async () => {
      for (const role of roles) {
        const problem = await tryLogin(runtimeUrl(databaseUrl, role, passwords), role);
        if (problem !== undefined) return problem;
      }
      return undefined;
    },
  };
}

async function tryLogin(url: string, role: RuntimeRole): Promise<string | undefined> {
  const sql = connectPostgres(url, { max: 1, name: 'vello sign-in check', connectTimeoutMs: ANSWER_WITHIN_MS });
  try {
    await sql`select 1`;
    return undefined;
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    if (code === '28P01') {
      return `PostgreSQL refuses the password of ${role} (28P01). It follows from VELLO_SECRET_KEY: another installation may use this server.`;
    }
    return `PostgreSQL does not let ${role} in: ${message}${typeof code === 'string' ? ` (${code})` : ''}`;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
