/** Service accounts and their keys as an operator handles them. Every api process hears of each change with its commit. */
import { newId } from '../../../actors/identity/new-id.ts';
import { VelloError } from '../../../config/errors.ts';
import type { Sql } from '../connection/connect.ts';
import { recordDeed } from './operator-log.ts';

export interface NewServiceKey {
  readonly serviceId: string;
  readonly description: string;
  /** 32 vetted bytes. */
  readonly publicKey: Buffer;
  readonly operator: string;
}

/** Adds a key beside those the service has; makes the account where it is new. Returns the key's id. */
export async function issueServiceKey(sql: Sql, key: NewServiceKey): Promise<string> {
  return sql.begin(async (tx) => {
    const { serviceId, operator } = key;
    const id = newId();
    await tx`insert into service_accounts (id, description) values (${serviceId}, ${key.description}) on conflict do nothing`;
    await tx`insert into service_keys (id, service_id, public_key) values (${id}, ${serviceId}, ${key.publicKey})`;
    await recordDeed(tx, { operator, action: 'service-key issue', target: serviceId, detail: { key: id } });
    return id;
  });
}

/** Adds a key and gives those before it a last moment. @throws VelloError `SERVICE_UNKNOWN` */
export async function rotateServiceKey(sql: Sql, key: NewServiceKey, overlapMs: number): Promise<string> {
  return sql.begin(async (tx) => {
    const { serviceId, operator } = key;
    const [account] = await tx`select from service_accounts where id = ${serviceId} for update`;
    if (account === undefined) throw new VelloError('SERVICE_UNKNOWN');
    await tx`update service_keys set expires_at = least(expires_at, now() + ${overlapMs} * interval '1 millisecond')
      where service_id = ${serviceId} and revoked_at is null`;
    const id = newId();
    await tx`insert into service_keys (id, service_id, public_key) values (${id}, ${serviceId}, ${key.publicKey})`;
    await recordDeed(tx, { operator, action: 'service-key rotate', target: serviceId, detail: { key: id, overlapMs } });
    return id;
  });
}

/** Revokes one key, or all of the service. Returns how many. */
export async function revokeServiceKeys(
  sql: Sql,
  target: { readonly serviceId: string; readonly keyId: string | undefined; readonly operator: string },
): Promise<number> {
  const { serviceId, keyId, operator } = target;
  return sql.begin(async (tx) => {
    const revoked = await tx`
      update service_keys set revoked_at = now() where service_id = ${serviceId} and revoked_at is null
      ${keyId === undefined ? tx`` : tx`and id = ${keyId}`}`;
    const detail = { key: keyId ?? null, revoked: revoked.count };
    await recordDeed(tx, { operator, action: 'service-key revoke', target: serviceId, detail });
    return revoked.count;
  });
}

export interface ListedServiceKey {
  readonly serviceId: string;
  readonly keyId: string;
  readonly publicKey: Buffer;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export async function listServiceKeys(sql: Sql, serviceId?: string): Promise<readonly ListedServiceKey[]> {
  return sql<ListedServiceKey[]>`
    select service_id as "serviceId", id as "keyId", public_key as "publicKey", created_at as "createdAt",
      expires_at as "expiresAt", revoked_at as "revokedAt"
    from service_keys ${serviceId === undefined ? sql`` : sql`where service_id = ${serviceId}`}
    order by service_id, created_at`;
}
