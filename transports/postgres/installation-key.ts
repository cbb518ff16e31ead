/**
 * Whether a process has the secret key of the installation whose database this is. Asked before anything is changed: the passwords of the
 * database roles follow from the key, so another one would lock out every process that runs already. Speaks for this database alone,
 * although roles belong to the server: one server holds one installation.
 */
import { createHash } from 'node:crypto';
import type { RolePasswords } from '../../actors/ports/role-passwords.ts';
import { VelloError } from '../../config/errors.ts';
import type { AdminSql } from './connect.ts';

/** A database that knows no key yet passes. @throws VelloError `SECRET_KEY_WRONG` */
export async function checkInstallationKey(sql: AdminSql, passwords: RolePasswords): Promise<void> {
  const [known] = await sql<
    { isThere: boolean }[]
  >`select to_regclass('public.installation_key') is not null as "isThere"`;
  if (known?.isThere !== true) return;
  const [row] = await sql<{ proof: string }[]>`select proof from installation_key`;
  if (row === undefined || row.proof === proofOf(passwords)) return;
  throw new VelloError(
    'SECRET_KEY_WRONG',
    'This database belongs to an installation with another secret key. Give every host the same VELLO_SECRET_KEY. Nothing was changed.',
  );
}

/** The first key is remembered; later calls change nothing. */
export async function rememberInstallationKey(sql: AdminSql, passwords: RolePasswords): Promise<void> {
  await sql`create table if not exists installation_key (is_only boolean primary key default true check (is_only), proof text not null)`;
  await sql`comment on table installation_key is 'By which a process finds out, before it changes anything, whether it has the secret key of this installation.'`;
  await sql`insert into installation_key (proof) values (${proofOf(passwords)}) on conflict do nothing`;
}

/** Tells nothing of the passwords: each is derived from the key and as hard to guess. */
function proofOf(passwords: RolePasswords): string {
  const all = Object.entries(passwords).sort().flat();
  return createHash('sha256')
    .update(['vello-installation-key:v1', ...all].join('\n'))
    .digest('hex');
}
