/** Chooses what stands behind the api's ports: PostgreSQL, as roles that own nothing, and Redis. Nothing is opened before its actors start. */
import { gatherSettlements } from '../actors/credits/gathered-settlement.ts';
import { deriveIdentitySecrets } from '../actors/crypto/secrets.ts';
import type { Peppers } from '../actors/devices/fingerprints.ts';
import { openKeyRing } from '../actors/identity/key-ring.ts';
import { createRevocations } from '../actors/identity/revocations.ts';
import type { RevocationScope } from '../actors/ports/grants.ts';
import type { StoreLogins } from '../actors/programs/login-watch.ts';
import type { Settings } from '../config/settings.ts';
import { createAccountErasure } from '../transports/postgres/account/account-erasure.ts';
import { createAccountExport } from '../transports/postgres/account/account-export.ts';
import { createAccountRecords } from '../transports/postgres/account/account-records.ts';
import { createConfirmedTexts } from '../transports/postgres/account/confirmed-texts.ts';
import { createSystemDatabase } from '../transports/postgres/connection/system.ts';
import { createTenantDatabase } from '../transports/postgres/connection/tenant.ts';
import { createAbandonedEvents } from '../transports/postgres/credits/abandoned-events.ts';
import { createModelCosts } from '../transports/postgres/credits/model-costs.ts';
import { createSettlement } from '../transports/postgres/credits/settlement.ts';
import { createDeviceControl } from '../transports/postgres/devices/device-control.ts';
import { createDeviceMessages } from '../transports/postgres/devices/device-messages.ts';
import { createDeviceRegistry } from '../transports/postgres/devices/device-registry.ts';
import { createAnnouncedChanges } from '../transports/postgres/identity/announced-changes.ts';
import { createIdentityUpkeep } from '../transports/postgres/identity/identity-upkeep.ts';
import { createKnownDevices } from '../transports/postgres/identity/known-devices.ts';
import { createServiceAccounts } from '../transports/postgres/identity/service-accounts.ts';
import { createSigningKeyStore } from '../transports/postgres/identity/signing-key-store.ts';
import { createTokenFamilies } from '../transports/postgres/identity/token-families.ts';
import { createSystemPrompts } from '../transports/postgres/prompts/system-prompts.ts';
import type { RuntimeRole } from '../transports/postgres/schema/database-roles.ts';
import { checkRuntimeRole, connectRuntime } from '../transports/postgres/schema/runtime-role.ts';
import { createTryLogins } from '../transports/postgres/schema/try-logins.ts';
import { connectRedis, type RedisUse } from '../transports/redis/connection/connect.ts';
import { createGrantPublisher } from '../transports/redis/grants/grant-publisher.ts';
import { createGrantSource } from '../transports/redis/grants/grant-source.ts';
import { createChallenges } from '../transports/redis/identity/challenges.ts';
import { createRateLimiter } from '../transports/redis/identity/rate-limiter.ts';
import { createSequenceWindows } from '../transports/redis/identity/sequence-windows.ts';
import { openUsedSignatures } from '../transports/redis/identity/used-signatures.ts';
import { createPromptShelf } from '../transports/redis/prompts/prompt-shelf.ts';
import { createDeviceBus, createDeviceNotifier } from '../transports/redis/sessions/device-bus.ts';
import type { CommonParts } from './foundation.ts';

export interface ApiParts extends CommonParts {
  /** `onRevoked` is told of each revocation, so that open sockets end. */
  readonly openStores: (onRevoked: (scope: RevocationScope) => void) => Promise<ApiStores>;
  /** Of the database. */
  readonly logins: StoreLogins;
  /** Makes the successor of a refresh token. */
  readonly refreshKey: Buffer;
  /** Of fingerprint hashes. */
  readonly peppers: Peppers;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
  /** Of this build, for the api's description. */
  readonly version: string;
}

interface ApiOptions extends CommonParts, Pick<ApiParts, 'random' | 'version'> {
  readonly settings: Pick<Settings, 'fingerprintPeppers'>;
  /** As administrator; the api itself logs in as roles that own nothing. */
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly secretKey: string;
}

export function createApiParts(options: ApiOptions): ApiParts {
  const { clock, drain, log, metrics, random, version, databaseUrl, settings } = options;
  const { refreshKey, fingerprintPepper, rolePasswords } = deriveIdentitySecrets(options.secretKey);
  const laterPeppers = [...settings.fingerprintPeppers].map(([at, text]) => [at, Buffer.from(text)] as const);
  return {
    ...{ clock, drain, log, metrics, random, version, refreshKey },
    peppers: new Map([[1, fingerprintPepper], ...laterPeppers]),
    logins: createTryLogins(databaseUrl, ['vello_api', 'vello_service'], rolePasswords),
    openStores: (onRevoked) => openStores(options, onRevoked),
  };
}

/** Connections of one process: enough to keep PostgreSQL's cores busy, few enough for a dozen processes under its default of 100. */
const POOL = { vello_api: 6, vello_service: 8 } as const;

export type ApiStores = Awaited<ReturnType<typeof openStores>>;

/**
 * Nothing stays open when it rejects.
 * @throws VelloError `DATABASE_*`, `REDIS_UNAVAILABLE`; `SECRET_KEY_WRONG` when the stored signing keys belong to another installation key
 */
async function openStores(options: ApiOptions, onRevoked: (scope: RevocationScope) => void) {
  const { databaseUrl, redisUrl, clock, log } = options;
  const { sealingKey, rolePasswords: passwords } = deriveIdentitySecrets(options.secretKey);
  const undo: (() => unknown)[] = [];
  const close = async () => {
    for (const end of undo.splice(0).reverse()) await end();
  };
  const pool = async (role: RuntimeRole & keyof typeof POOL) => {
    const sql = connectRuntime(databaseUrl, role, { passwords, max: POOL[role], name: role.replace('_', '-') });
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
    return {
      keys: await openKeyRing({ store: createSigningKeyStore(system), sealingKey, clock }),
      families: createTokenFamilies(system),
      services: createServiceAccounts(system, clock),
      changes: createAnnouncedChanges(system),
      upkeep: createIdentityUpkeep(system),
      usedSignatures: await openUsedSignatures(commands),
      challenges: createChallenges(commands),
      sequences: createSequenceWindows(commands),
      limiter: createRateLimiter(commands),
      grants: createGrantPublisher(commands, clock),
      grantSource: createGrantSource({ redis: commands, openReader: () => redis('blocking', 'grants'), log }),
      revocations: createRevocations(clock, onRevoked),

      knownDevices: createKnownDevices(system),
      registry: createDeviceRegistry(system),
      deviceControl: createDeviceControl(tenants),
      messages: createDeviceMessages(tenants),
      notifier: createDeviceNotifier(commands),
      bus: createDeviceBus({ redis: commands, openSubscriber: () => redis('subscriber', 'notices') }),

      records: createAccountRecords(tenants),
      exporting: createAccountExport(tenants),
      erasure: createAccountErasure(system),
      confirmedTexts: createConfirmedTexts(tenants),
      settlement: gatherSettlements(createSettlement(system)),
      costs: createModelCosts(system),
      abandoned: createAbandonedEvents(system),
      prompts: createSystemPrompts(system),
      shelf: createPromptShelf(commands),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
