/** Where the databases of a running Vello are: the given URLs, or what it remembered of its own servers. Starts nothing. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSettings } from '../../config/load-settings.ts';
import { postgresUrl } from '../../transports/process/postgres-cluster.ts';
import { redisUrl } from '../../transports/process/redis-server.ts';
import { CommandError } from '../command.ts';
import type { ServiceAddress } from './home.ts';

export interface FoundServices {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** From which the passwords of the database roles are derived. */
  readonly secretKey: string;
}

/** @throws CommandError where nothing is known of them, saying what to set. */
export function findServices(environment: Readonly<Record<string, string | undefined>>): FoundServices {
  const settings = loadSettings(environment);
  const read = (name: string): string => {
    const path = join(settings.home, name);
    try {
      return readFileSync(path, 'utf8');
    } catch {
      throw new CommandError(
        `${path} cannot be read. Run this where Vello runs, as its user and with its VELLO_HOME, ` +
          'or set VELLO_REDIS_URL, VELLO_DATABASE_URL and VELLO_SECRET_KEY.',
      );
    }
  };
  const recall = (service: string): ServiceAddress => {
    const address = (JSON.parse(read('services.json')) as Record<string, ServiceAddress | undefined>)[service];
    if (address === undefined)
      throw new CommandError(`Vello has not started a ${service} of its own in ${settings.home}.`);
    return address;
  };
  return {
    databaseUrl: settings.databaseUrl ?? postgresUrl(recall('postgres'), 'postgres'),
    redisUrl: settings.redisUrl ?? redisUrl(recall('redis')),
    secretKey: settings.secretKey ?? read('secret.key').trim(),
  };
}
