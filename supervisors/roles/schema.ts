/** The database at this build's schema, with our own services known to it, as a child of the tree: before any role that relies on it. */
import type { Log } from '../../actors/ports/log.ts';
import { owned } from '../../actors/kernel/owned.ts';
import type { RolePasswords } from '../../actors/crypto/secrets.ts';
import { connectPostgres } from '../../transports/postgres/connection/connect.ts';
import { migrate } from '../../transports/postgres/schema/migrate.ts';
import { registerService, type ServiceRegistration } from '../../transports/postgres/identity/register-service.ts';
import { worker, type SupervisorSpec } from '../child-spec.ts';

export interface SchemaParts {
  /** May create roles. */
  readonly databaseUrl: string;
  readonly passwords: RolePasswords;
  /** Those of this installation, whose keys may call the api. */
  readonly services: readonly ServiceRegistration[];
  readonly log: Log;
  /** Told who keeps a migration waiting. */
  readonly onWait?: (holder: string) => void;
  /** Told once the database is ready, or why it cannot be. */
  readonly observe: (work: () => Promise<unknown>) => Promise<unknown>;
}

/** A database that is away for a moment is asked again; one that a migration cannot change needs a person. */
export const schemaRole = ({
  databaseUrl,
  passwords,
  services,
  log,
  onWait,
  observe,
}: SchemaParts): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 5,
  periodMs: 60_000,
  children: [
    worker(
      'migrator',
      owned('migrator', async () => {
        await observe(async () => {
          await migrate({ adminUrl: databaseUrl, passwords, log, ...(onWait && { onWait }) });
          await register(databaseUrl, services);
        });
        return { close: () => undefined };
      }),
    ),
  ],
});

async function register(databaseUrl: string, services: readonly ServiceRegistration[]): Promise<void> {
  const sql = connectPostgres(databaseUrl, { max: 1, name: 'vello-schema' });
  try {
    for (const service of services) await registerService(sql, service);
  } finally {
    await sql.end();
  }
}
