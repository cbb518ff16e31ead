/** Makes a service of this installation known to the api. An operator's decision is never undone: a disabled account or revoked key stays so. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { AdminSql } from '../connection/connect.ts';

export interface ServiceRegistration {
  readonly serviceId: string;
  readonly description: string;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

export async function registerService(sql: AdminSql, service: ServiceRegistration): Promise<void> {
  const { serviceId, description, publicKey } = service;
  await sql.begin(async (tx) => {
    await tx`insert into service_accounts (id, description) values (${serviceId}, ${description}) on conflict do nothing`;
    await tx`insert into service_keys (id, service_id, public_key) values (${newId()}, ${serviceId}, ${publicKey})
      on conflict do nothing`;
  });
}
