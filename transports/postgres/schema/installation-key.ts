/**
 * Whether a process has the secret key of the installation that this PostgreSQL server serves. Asked before anything is changed: the
 * passwords of the database roles follow from the key and belong to the whole server, so another key would lock out every process that
 * runs already, whichever database it uses. Therefore the proof is kept with a role and not in a table.
 */
import { createHash } from 'node:crypto';
import type { RolePasswords } from '../../../actors/crypto/secrets.ts';
import { VelloError } from '../../../config/errors.ts';
import type { AdminSql } from '../connection/connect.ts';

/**
 * The first key is remembered with `role`, which must exist; any other is refused from then on. A server from before keys were remembered
 * is asked by `opens` whether this one is what its roles already log in with. Two installations that start for the first time in the same
 * instant may both pass.
 * @throws VelloError `SECRET_KEY_WRONG`
 */
export async function claimServer(
  sql: AdminSql,
  role: string,
  passwords: RolePasswords,
  opens: () => Promise<boolean>,
): Promise<void> {
  const proof = `${PREFIX}${proofOf(passwords)}`;
  const known = await readProof(sql, role);
  const isFree = known === REPLACE || (known === undefined && (await opens()));
  if (isFree) await sql.unsafe(`comment on role ${role} is '${proof}'`);
  if ((await readProof(sql, role)) === proof) return;
  throw new VelloError(
    'SECRET_KEY_WRONG',
    'This PostgreSQL server belongs to an installation with another secret key. Give every host the same VELLO_SECRET_KEY. Nothing was changed.',
  );
}

const PREFIX = 'Vello installation key: ';
/** What an operator writes there to have the next key taken, whichever it is. */
const REPLACE = `${PREFIX}replace`;

async function readProof(sql: AdminSql, role: string): Promise<string | undefined> {
  const [row] = await sql<{ comment: string | null }[]>`
    select shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = ${role}`;
  return row?.comment?.startsWith(PREFIX) === true ? row.comment : undefined;
}

/** Tells nothing of the passwords: each is derived from the key and as hard to guess. */
function proofOf(passwords: RolePasswords): string {
  const all = Object.entries(passwords).sort().flat();
  return createHash('sha256')
    .update(['vello-installation-key:v1', ...all].join('\n'))
    .digest('hex');
}
