/** Opens what one api process stands on: pools of PostgreSQL, connections to Redis, and the implementations behind the api's ports. */
import { gatherSettlements } from '../actors/credits/gathered-settlement.ts';
import type { Peppers } from '../actors/devices/fingerprints.ts';
import type { IdentitySecrets } from '../actors/crypto/secrets.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { DeviceAuth } from '../actors/sessions/device-auth.ts';
import type { DeviceBus } from '../actors/sessions/device-channels.ts';
import type { DeviceMessages } from '../actors/sessions/device-messages.ts';
import type { RevocationScope } from '../actors/ports/grants.ts';
import type { Log } from '../actors/ports/log.ts';
import type { StoreLogins } from '../actors/programs/login-watch.ts';
import type { ApiRoute, Guards } from '../transports/http/api/api-route.ts';
import { accountDataRoutes } from '../transports/http/routes/account-data.ts';
import { accountRecordRoutes } from '../transports/http/routes/account-records.ts';
import { jobTranscriptionRoutes } from '../transports/http/routes/job-transcription.ts';
import { jobRoutes } from '../transports/http/routes/jobs.ts';
import { ownedDeviceRoutes } from '../transports/http/routes/owned-devices.ts';
import { createAbandonedEvents } from '../transports/postgres/credits/abandoned-events.ts';
import { createAccountErasure } from '../transports/postgres/account/account-erasure.ts';
import { createAccountExport } from '../transports/postgres/account/account-export.ts';
import { createAccountRecords } from '../transports/postgres/account/account-records.ts';
import { createConfirmedTexts } from '../transports/postgres/account/confirmed-texts.ts';
import type { RuntimeRole } from '../transports/postgres/schema/database-roles.ts';
import { createDeviceControl } from '../transports/postgres/devices/device-control.ts';
import { createDeviceMessages } from '../transports/postgres/devices/device-messages.ts';
import { createModelCosts } from '../transports/postgres/credits/model-costs.ts';
import { checkRuntimeRole, connectRuntime } from '../transports/postgres/schema/runtime-role.ts';
import { createSettlement } from '../transports/postgres/credits/settlement.ts';
import { createSystemDatabase } from '../transports/postgres/connection/system.ts';
import { createTenantDatabase } from '../transports/postgres/connection/tenant.ts';
import { createTryLogins } from '../transports/postgres/schema/try-logins.ts';
import { connectRedis, type RedisUse } from '../transports/redis/connection/connect.ts';
import { createDeviceBus } from '../transports/redis/sessions/device-bus.ts';
import { createGrantPublisher } from '../transports/redis/grants/grant-publisher.ts';
import { createRedisRateLimiter } from '../transports/redis/identity/rate-limiter.ts';
import { createGrantSource } from '../transports/redis/grants/grant-source.ts';
import { createDeviceNotifier } from '../transports/redis/sessions/device-notifier.ts';
import type { ChildSpec } from './child-spec.ts';
import { openIdentity } from './identity-parts.ts';
import type { Closable } from './opened.ts';

export interface ApiStoresOptions {
  /** As administrator; the api itself logs in as roles that own nothing. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly secrets: IdentitySecrets;
  readonly devicesPerHardware: number;
  /** Peppers of fingerprint hashes beyond the derived one. */
  readonly laterPeppers: Peppers;
  /** Called for each revocation, so that open sessions end. */
  readonly onRevoked: (scope: RevocationScope) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ApiStores extends Closable {
  readonly routes: readonly ApiRoute[];
  readonly guards: Guards;
  readonly auth: DeviceAuth;
  readonly messages: DeviceMessages;
  readonly bus: DeviceBus;
  /** Actors that keep what is held here current. */
  readonly children: readonly ChildSpec[];
}

/** Signs in as the roles of the api do. */
export const apiLogins = (databaseUrl: string, secrets: IdentitySecrets): StoreLogins =>
  createTryLogins(databaseUrl, ['vello_api', 'vello_service'], secrets.rolePasswords);

/** Connections of one process: enough to keep PostgreSQL's cores busy, few enough for a dozen processes under its default of 100. */
const POOL = { vello_api: 6, vello_service: 8 } as const;

/** Nothing stays open when it rejects. @throws VelloError `DATABASE_*`, `REDIS_UNAVAILABLE` */
export async function openApiStores(options: ApiStoresOptions): Promise<ApiStores> {
  const { databaseUrl, redisUrl, secrets, clock, log } = options;
  const undo: (() => unknown)[] = [];
  const close = async () => {
    for (const end of undo.splice(0).reverse()) await end();
  };
  const pool = async (role: RuntimeRole & keyof typeof POOL) => {
    const name = role.replace('_', '-');
    const sql = connectRuntime(databaseUrl, role, { passwords: secrets.rolePasswords, max: POOL[role], name });
    undo.push(() => sql.end({ timeout: 5 }));
    await checkRuntimeRole(sql, role);
    return sql;
  };
  const redis = (use: RedisUse, name: string) => connectRedis({ url: redisUrl, use, name: `vello-api-${name}`, log });

  try {
    const tenants = createTenantDatabase(await pool('vello_api'));
    const system = createSystemDatabase(await pool('vello_service'));
    const commands = await redis('command', 'commands');
    undo.push(() => commands.disconnect());
    const publisher = createGrantPublisher(commands, clock);
    const openReader = () => redis('blocking', 'grants');
    const grantSource = createGrantSource({ redis: commands, openReader, log });
    const identity = await openIdentity({ ...options, system, redis: commands, grants: publisher, grantSource });

    const records = createAccountRecords(tenants);
    const routes = [
      ...identity.routes,
      ...accountRecordRoutes(records),
      ...accountDataRoutes({
        exporting: createAccountExport(tenants),
        erasure: createAccountErasure(system),
        grants: publisher,
        limiter: createRedisRateLimiter(commands),
        clock,
      }),
      ...jobTranscriptionRoutes(createConfirmedTexts(tenants)),
      ...ownedDeviceRoutes({ records, devices: createDeviceControl(tenants), grants: publisher }),
      ...jobRoutes({
        settlement: gatherSettlements(createSettlement(system)),
        costs: createModelCosts(system),
        abandoned: createAbandonedEvents(system),
        notifier: createDeviceNotifier(commands),
        grants: publisher,
        log,
      }),
    ];
    return {
      routes,
      guards: identity.guards,
      auth: identity.deviceAuth,
      messages: createDeviceMessages(tenants),
      bus: createDeviceBus({ redis: commands, openSubscriber: () => redis('subscriber', 'notices') }),
      children: identity.children,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
