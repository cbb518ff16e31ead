/** Service keys in PostgreSQL. Kept in memory for a second at most; an announced change empties the memory at once. */
import type { ServiceAccounts } from '../../../actors/identity/service-requests.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { SystemSql } from '../connection/system.ts';

export interface CachedServiceAccounts extends ServiceAccounts {
  /** Forgets what was read; called when the tables changed. */
  forget(): void;
}

/** How long a key that was revoked could still be taken where the announcement did not arrive. */
const KEPT_MS = 1000;

export function createServiceAccounts(sql: SystemSql, clock: Clock): CachedServiceAccounts {
  const known = new Map<string, { readonly until: number; readonly keys: Promise<readonly Buffer[]> }>();
  return {
    keysOf(serviceId) {
      const entry = known.get(serviceId);
      if (entry !== undefined && entry.until > clock.monotonicMs()) return entry.keys;
      const keys = readKeys(sql, serviceId);
      known.set(serviceId, { until: clock.monotonicMs() + KEPT_MS, keys });
      keys.catch(() => known.delete(serviceId));
      // Names are the caller's choice: garbage must not fill the memory.
      if (known.size > 1000) known.clear();
      return keys;
    },
    forget: () => known.clear(),
  };
}

async function readKeys(sql: SystemSql, serviceId: string): Promise<readonly Buffer[]> {
  const rows = await sql<{ public_key: Buffer }[]>`
    select k.public_key from service_keys k join service_accounts a on a.id = k.service_id
    where k.service_id = ${serviceId} and a.disabled_at is null and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())`;
  return rows.map((row) => row.public_key);
}
