/** Puts the identity part of one api process together: which store stands behind which port. Connections are opened and closed by the caller. */
import type { Redis } from 'ioredis';
import type { RegistrationDependencies } from '../actors/devices/registration.ts';
import type { Peppers } from '../actors/devices/fingerprints.ts';
import { createAuthenticator, type Authenticator } from '../actors/identity/authenticator.ts';
import { createDeviceAuth } from '../actors/identity/desktop-requests.ts';
import type { DeviceAuth } from '../actors/sessions/device-auth.ts';
import { keyFollower } from '../actors/identity/key-follower.ts';
import { openKeyRing, type KeyRing } from '../actors/identity/key-ring.ts';
import { revocationFollower } from '../actors/identity/revocation-follower.ts';
import { createRevocations } from '../actors/identity/revocations.ts';
import type { IdentitySecrets } from '../actors/crypto/secrets.ts';
import { createKeyScreen } from '../actors/crypto/public-key.ts';
import { createSignatureVerifier } from '../actors/crypto/signature.ts';
import { tokenJanitor } from '../actors/identity/token-janitor.ts';
import { createTokenPairs } from '../actors/identity/token-pairs.ts';
import { createTokens, type Tokens } from '../actors/identity/tokens.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { GrantPublisher, GrantSource, RevocationScope } from '../actors/ports/grants.ts';
import type { Log } from '../actors/ports/log.ts';
import type { ApiRoute, Guards } from '../transports/http/api/api-route.ts';
import { createGuards } from '../transports/http/api/guards.ts';
import { authRoutes } from '../transports/http/routes/auth.ts';
import { registrationRoutes } from '../transports/http/routes/registration.ts';
import { createAnnouncedChanges } from '../transports/postgres/identity/announced-changes.ts';
import { createKnownDevices } from '../transports/postgres/identity/known-devices.ts';
import { createDeviceRegistry } from '../transports/postgres/devices/device-registry.ts';
import { createIdentityUpkeep } from '../transports/postgres/identity/identity-upkeep.ts';
import { createServiceAccounts } from '../transports/postgres/identity/service-accounts.ts';
import { createSigningKeyStore } from '../transports/postgres/identity/signing-key-store.ts';
import type { SystemSql } from '../transports/postgres/connection/system.ts';
import { createTokenFamilies } from '../transports/postgres/identity/token-families.ts';
import { createRedisChallenges } from '../transports/redis/identity/challenges.ts';
import { createRedisRateLimiter } from '../transports/redis/identity/rate-limiter.ts';
import { createRedisSequenceWindows } from '../transports/redis/identity/sequence-windows.ts';
import { openUsedSignatures } from '../transports/redis/identity/used-signatures.ts';
import { worker, type ChildSpec } from './child-spec.ts';

export interface IdentityOptions {
  readonly system: SystemSql;
  /** A `command` connection. */
  readonly redis: Redis;
  readonly grants: GrantPublisher;
  readonly grantSource: GrantSource;
  /** Called for each revocation that is published, so that open sessions may end. */
  readonly onRevoked?: (scope: RevocationScope) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly secrets: IdentitySecrets;
  /** Peppers beyond the derived one, by version from 2. */
  readonly laterPeppers?: Peppers;
  readonly devicesPerHardware: number;
}

export interface Identity {
  readonly routes: readonly ApiRoute[];
  readonly guards: Guards;
  readonly authenticator: Authenticator;
  /** For the WebSocket. */
  readonly deviceAuth: DeviceAuth;
  readonly keys: KeyRing;
  readonly tokens: Tokens;
  /** Actors of the api role, to be started before its listener. */
  readonly children: readonly ChildSpec[];
}

/** @throws VelloError `SECRET_KEY_WRONG` when the stored signing keys belong to another installation key */
export async function openIdentity(options: IdentityOptions): Promise<Identity> {
  const { system, redis, grants, clock, log, secrets } = options;
  const keys = await openKeyRing({ store: createSigningKeyStore(system), sealingKey: secrets.sealingKey, clock });
  const services = createServiceAccounts(system, clock);
  const tokens = createTokens({ keys, clock });
  const families = createTokenFamilies(system);
  const devices = createKnownDevices(system);
  const signatures = createSignatureVerifier();
  const sequences = createRedisSequenceWindows(redis);
  const limiter = createRedisRateLimiter(redis);
  const revocations = createRevocations(clock, options.onRevoked);
  const authenticator = createAuthenticator({ tokens, revocations, clock });
  const pairs = createTokenPairs({ tokens, grants, families });
  const challenges = createRedisChallenges(redis);
  const used = await openUsedSignatures(redis);
  const registering: RegistrationDependencies = {
    registry: createDeviceRegistry(system),
    pairs,
    grants,
    limiter,
    clock,
    peppers: new Map([[1, secrets.fingerprintPepper], ...(options.laterPeppers ?? [])]),
    devicesPerHardware: options.devicesPerHardware,
  };
  return {
    routes: [
      ...authRoutes({
        deviceAuth: { screen: createKeyScreen(), challenges, devices, sequences, signatures, tokens, limiter, clock },
        refreshing: { families, pairs, grants, clock, refreshKey: secrets.refreshKey },
        keys,
      }),
      ...registrationRoutes(registering),
    ],
    guards: createGuards({ authenticator, services: { services, used, signatures, clock } }),
    authenticator,
    deviceAuth: createDeviceAuth({ authenticator, devices, sequences, signatures, grants, clock, log }),
    keys,
    tokens,
    children: [
      worker('revocations', () => revocationFollower(revocations, options.grantSource)),
      worker('keys', () => keyFollower({ changes: createAnnouncedChanges(system), keys, services })),
      worker('token-janitor', () => tokenJanitor({ upkeep: createIdentityUpkeep(system), grants })),
    ],
  };
}
