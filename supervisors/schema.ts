/** The database at this build's schema, as a child of the tree: after the services, before any role that relies on it. */
import type { Log } from '../actors/ports/log.ts';
import type { RolePasswords } from '../actors/ports/role-passwords.ts';
import { migrate } from '../transports/postgres/migrate.ts';
import { worker, type SupervisorSpec } from './child-spec.ts';

export interface SchemaParts {
  /** May create roles. */
  readonly databaseUrl: string;
  readonly passwords: RolePasswords;
  readonly log: Log;
  /** Told once the database is ready, or why it cannot be. */
  readonly observe: (work: () => Promise<unknown>) => Promise<unknown>;
}

/** A database that is away for a moment is asked again; one that a migration cannot change needs a person. */
export const schemaSpec = ({ databaseUrl, passwords, log, observe }: SchemaParts): SupervisorSpec => ({
  strategy: 'oneForOne',
  intensity: 5,
  periodMs: 60_000,
  children: [
    worker('migrator', {
      type: 'migrator',
      async start() {
        await observe(() => migrate({ adminUrl: databaseUrl, passwords, log }));
        return { receive: () => undefined };
      },
    }),
  ],
});
