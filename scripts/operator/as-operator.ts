/** What the operator's commands share: the database as `vello_operator`, the announcements of grants, and who is at the keyboard. */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { Redis } from 'ioredis';
import postgres from 'postgres';
import { deriveIdentitySecrets, type IdentitySecrets } from '../../actors/crypto/secrets.ts';
import type { GrantPublisher } from '../../actors/ports/grants.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { DeviceNotifier } from '../../actors/sessions/device-channels.ts';
import { loadSettings } from '../../config/load-settings.ts';
import type { Settings } from '../../config/settings.ts';
import { isPoolerRefusal, pooled } from '../../transports/postgres/connection/check-sessions.ts';
import { connectPostgres, type Sql } from '../../transports/postgres/connection/connect.ts';
import { runtimeUrl } from '../../transports/postgres/schema/database-roles.ts';
import { checkRuntimeRole } from '../../transports/postgres/schema/runtime-role.ts';
import { postgresUrl } from '../../transports/process/postgres-cluster.ts';
import { redisUrl } from '../../transports/process/redis-server.ts';
import { systemClock } from '../../transports/process/system-clock.ts';
import { connectRedis } from '../../transports/redis/connection/connect.ts';
import { createGrantPublisher } from '../../transports/redis/grants/grant-publisher.ts';
import { createDeviceNotifier } from '../../transports/redis/sessions/device-bus.ts';
import { CommandError } from '../command.ts';
import { startLine, stateRoot } from '../project-root.ts';

export interface Operator {
  readonly sql: Sql;
  readonly secrets: IdentitySecrets;
  /** For the audit log. */
  readonly name: string;
  /** Where this installation keeps the keys of its own services. */
  readonly keyFolder: string;
  /** Connects to Redis for `work`. */
  withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T>;
  /** The same, for what gateways and devices must hear. */
  announce(
    work: (to: { readonly grants: GrantPublisher; readonly notifier: DeviceNotifier }) => Promise<void>,
  ): Promise<void>;
}

/** Runs `work` against the installation that the settings name. @throws CommandError that says what to do where it is not running */
export async function asOperator(work: (operator: Operator) => Promise<number>): Promise<number> {
  const settings = loadSettings(process.env);
  const home = resolve(stateRoot, settings.home);
  const secrets = deriveIdentitySecrets(settings.secretKey ?? readSecret(home));
  const url = runtimeUrl(settings.databaseUrl ?? ownDatabaseUrl(home), 'vello_operator', secrets.rolePasswords);
  const sql = connectPostgres(url, { max: 2, name: 'vello operator' });
  try {
    await checkRuntimeRole(sql, 'vello_operator').catch((error: unknown) => {
      throw unreachable('PostgreSQL', error);
    });
    const withRedis: Operator['withRedis'] = (task) => connected(settings, home, task);
    const announce: Operator['announce'] = (task) =>
      withRedis((redis) =>
        task({ grants: createGrantPublisher(redis, systemClock), notifier: createDeviceNotifier(redis) }),
      );
    return await work({ sql, secrets, name: operatorName(), keyFolder: join(home, 'keys'), withRedis, announce });
  } catch (error) {
    throw error instanceof postgres.PostgresError ? unreachable('PostgreSQL', error) : error;
  } finally {
    await sql.end({ timeout: 2 });
  }
}

async function connected<T>(settings: Settings, home: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const url = settings.redisUrl ?? redisUrl(recall(home, 'redis'));
  const redis = await connectRedis({ url, use: 'command', name: 'vello-operator', log: silent, withinMs: 3000 }).catch(
    (error: unknown) => {
      throw unreachable('Redis', error);
    },
  );
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

const ownDatabaseUrl = (home: string): string => postgresUrl(recall(home, 'postgres'), 'postgres');

/** The address that the running Vello gave its own server. */
function recall(home: string, server: string): { readonly port: number; readonly password: string } {
  try {
    const all = JSON.parse(readFileSync(join(home, 'services.json'), 'utf8')) as Record<
      string,
      { readonly port: number; readonly password: string }
    >;
    const address = all[server];
    if (address !== undefined) return address;
  } catch {
    // Said below: there is nothing to connect to.
  }
  throw new CommandError(
    `No Vello has its servers in ${home}. Name the folder of the one that is meant by VELLO_HOME, or its servers\n` +
      `by VELLO_DATABASE_URL and VELLO_REDIS_URL, or start one with: ${startLine}`,
  );
}

function readSecret(home: string): string {
  try {
    return readFileSync(join(home, 'secret.key'), 'utf8').trim();
  } catch {
    throw new CommandError(
      `There is no secret key in ${home}. Name the folder of the Vello that is meant by VELLO_HOME,\n` +
        `or set VELLO_SECRET_KEY, or start one with: ${startLine}`,
    );
  }
}

function unreachable(what: string, error: unknown): Error {
  const code = (error as { code?: unknown }).code;
  const away = code === 'ECONNREFUSED' || code === 'CONNECT_TIMEOUT' || code === 'REDIS_UNAVAILABLE';
  if (away) return new CommandError(`${what} does not answer. Is Vello running? Start it with: ${startLine}`);
  if (typeof code === 'string' && /^(57P|53|08)/.test(code)) {
    const said = error instanceof Error ? error.message : code;
    return new CommandError(`${what} cannot serve at the moment (${said}). Try again in a few seconds.`);
  }
  if (isPoolerRefusal(error)) return pooled('refuses settings of sessions', error);
  if (code === '28P01')
    return new CommandError('The database refuses the password: is VELLO_SECRET_KEY that of this installation?');
  return error instanceof Error ? error : new Error(String(error));
}

/** The person behind sudo, where there is one. */
const operatorName = (): string => process.env['SUDO_USER'] ?? userInfo().username;

const nothing = (): void => undefined;
const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
