/** What the api answers to, made from its stores: its routes, the proofs that they ask for, and whom its sockets believe. */
import { createKeyScreen } from '../actors/crypto/public-key.ts';
import { createSignatureVerifier } from '../actors/crypto/signature.ts';
import { createAuthenticator } from '../actors/identity/authenticator.ts';
import { createDesktopAuth } from '../actors/identity/desktop-auth.ts';
import { createTokenPairs } from '../actors/identity/token-pairs.ts';
import { createTokens } from '../actors/identity/tokens.ts';
import type { DesktopAuth } from '../actors/sessions/desktop-auth.ts';
import type { ApiRoute, Guards } from '../transports/http/api/api-route.ts';
import { createGuards } from '../transports/http/api/guards.ts';
import { accountDataRoutes } from '../transports/http/routes/account-data.ts';
import { accountRecordRoutes } from '../transports/http/routes/account-records.ts';
import { authRoutes } from '../transports/http/routes/auth.ts';
import { jobTranscriptionRoutes } from '../transports/http/routes/job-transcription.ts';
import { jobRoutes } from '../transports/http/routes/jobs.ts';
import { ownedDeviceRoutes } from '../transports/http/routes/owned-devices.ts';
import { registrationRoutes } from '../transports/http/routes/registration.ts';
import type { ApiParts, ApiStores } from './api-parts.ts';

export interface ApiSurface {
  readonly routes: readonly ApiRoute[];
  readonly guards: Guards;
  readonly auth: DesktopAuth;
}

export function createApiSurface(
  stores: ApiStores,
  parts: Pick<ApiParts, 'clock' | 'log' | 'refreshKey' | 'peppers'>,
  devicesPerHardware: number,
): ApiSurface {
  const { clock, log, refreshKey, peppers } = parts;
  const { keys, families, services, sequences, limiter, grants, records, knownDevices: devices } = stores;
  const tokens = createTokens({ keys, clock });
  const pairs = createTokenPairs({ tokens, grants, families });
  const signatures = createSignatureVerifier();
  const authenticator = createAuthenticator({ tokens, revocations: stores.revocations, clock });
  return {
    routes: [
      ...authRoutes({
        challenging: {
          screen: createKeyScreen(),
          ...{ challenges: stores.challenges, devices, sequences, signatures, tokens, limiter, clock },
        },
        refreshing: { families, pairs, grants, clock, refreshKey },
        keys,
      }),
      ...registrationRoutes({
        ...{ registry: stores.registry, pairs, grants, limiter, clock, peppers, devicesPerHardware },
      }),
      ...accountRecordRoutes(records),
      ...accountDataRoutes({ exporting: stores.exporting, erasure: stores.erasure, grants, limiter, clock }),
      ...jobTranscriptionRoutes(stores.confirmedTexts),
      ...ownedDeviceRoutes({ records, devices: stores.deviceControl, grants }),
      ...jobRoutes({ ...stores, log }),
    ],
    guards: createGuards({ authenticator, services: { services, used: stores.usedSignatures, signatures, clock } }),
    auth: createDesktopAuth({ authenticator, devices, sequences, signatures, grants, clock, log }),
  };
}
