/** Signing keys in PostgreSQL: all api processes read the same ones, and a rotation is one transaction. */
import type { NewSigningKey, SigningKeyStore, StoredSigningKey } from '../../../actors/identity/key-ring.ts';
import type { Sql } from '../connection/connect.ts';
import { recordDeed } from '../operators/operator-log.ts';
import type { SystemSql } from '../connection/system.ts';

export function createSigningKeyStore(sql: SystemSql): SigningKeyStore {
  return {
    async load(retiredAfterMs) {
      const rows = await sql<SigningKeyRow[]>`
        select kid, state, public_jwk, sealed, created_at, retired_at from signing_keys
        where state in ('current', 'next') or retired_at > ${new Date(retiredAfterMs)}`;
      return rows.map((row) => ({
        kid: row.kid,
        state: row.state,
        publicJwk: row.public_jwk,
        sealed: row.sealed,
        createdAtMs: row.created_at.getTime(),
        retiredAtMs: row.retired_at?.getTime(),
      }));
    },
    async provide(current, next) {
      // The unique index on the state lets one of several processes that start at once be first.
      for (const [key, state] of [[current, 'current'] as const, [next, 'next'] as const]) {
        await sql`insert into signing_keys ${sql(toRow(key, state))} on conflict do nothing`;
      }
    },
  };
}

/** Makes the next key current and `next` the one after it. Returns the kid that signs from now on. */
export async function rotateSigningKeys(sql: Sql, next: NewSigningKey, operator: string): Promise<string> {
  return sql.begin(async (tx) => {
    await tx`update signing_keys set state = 'retired', retired_at = now() where state = 'current'`;
    const [row] = await tx<{ kid: string }[]>`
      update signing_keys set state = 'current' where state = 'next' returning kid`;
    await tx`insert into signing_keys ${tx(toRow(next, row === undefined ? 'current' : 'next'))}`;
    const kid = row?.kid ?? next.kid;
    await recordDeed(tx, { operator, action: 'signing-key rotate', target: kid, detail: {} });
    return kid;
  });
}

export interface ListedSigningKey {
  readonly kid: string;
  readonly state: StoredSigningKey['state'];
  readonly createdAt: Date;
}

/** In use and retired, without their secrets. */
export async function listSigningKeys(sql: Sql): Promise<readonly ListedSigningKey[]> {
  return sql<ListedSigningKey[]>`select kid, state, created_at as "createdAt" from signing_keys order by created_at`;
}

type SigningKeyRow = Pick<StoredSigningKey, 'kid' | 'state' | 'sealed'> & {
  readonly public_jwk: StoredSigningKey['publicJwk'];
  readonly created_at: Date;
  readonly retired_at: Date | null;
};

const toRow = (key: NewSigningKey, state: 'next' | 'current') => ({
  kid: key.kid,
  public_jwk: key.publicJwk as Record<string, string>,
  sealed: key.sealed,
  state,
});
