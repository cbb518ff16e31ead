/** Validate and register: what a proven key and its hardware amount to, and the account that comes of it (contract §3.3, §3.4). */
import { VelloError } from '../../config/errors.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import { announceBalance } from '../credits/requests-at-once.ts';
import { vetPublicKey } from '../crypto/public-key.ts';
import { IDENTITY_LIMITS, takeFromAddress, takeOrRefuse } from '../identity/rate-limits.ts';
import { newFamily } from '../identity/refresh.ts';
import type { TokenPair, TokenPairs } from '../identity/token-pairs.ts';
import type { Clock } from '../ports/clock.ts';
import type { DeviceRegistry } from './device-registry.ts';
import type { GrantPublisher } from '../ports/grants.ts';
import type { RateLimiter } from '../ports/rate-limiter.ts';
import {
  hashFingerprints,
  type Component,
  type Peppers,
  type ReportedFingerprints,
  type Strength,
} from './fingerprints.ts';
import { judgeHardware, type HardwareVerdict } from './hardware-verdict.ts';

export interface RegistrationDependencies {
  readonly registry: DeviceRegistry;
  readonly pairs: TokenPairs;
  readonly grants: GrantPublisher;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly peppers: Peppers;
  /** Accounts that one piece of hardware may hold. */
  readonly devicesPerHardware: number;
}

export interface ValidateAnswer {
  readonly verdict: HardwareVerdict['verdict'];
  readonly matches: readonly { readonly component: Component; readonly strength: Strength }[];
  readonly credits_offer: number;
}

/** @throws VelloError `INVALID_FIELDS`, `RATE_LIMITED` */
export async function validateDevice(
  request: { readonly publicKey: string; readonly fingerprints: ReportedFingerprints },
  deps: RegistrationDependencies,
): Promise<ValidateAnswer> {
  await takeOrRefuse(deps.limiter, `validate:key:${request.publicKey}`, IDENTITY_LIMITS.validatePerKey);
  const hashed = hashFingerprints(request.fingerprints, deps.peppers);
  const evidence = await deps.registry.evidence(Buffer.from(request.publicKey, 'base64url'), hashed);
  const { verdict, matches, creditsOffer } = judgeHardware(evidence, deps.devicesPerHardware);
  return { verdict, matches, credits_offer: creditsOffer };
}

export interface RegisterRequest {
  /** Of the bootstrap token, base64url. */
  readonly publicKey: string;
  readonly fingerprints: ReportedFingerprints;
  readonly device: { readonly name: string; readonly os: string; readonly appVersion: string };
  readonly address: SourceAddress;
}

export interface RegisterAnswer extends TokenPair {
  readonly user_id: string;
  readonly device_id: string;
  readonly credits: { readonly granted: number; readonly balance: number };
}

/** @throws VelloError `AUTH_KEY_INVALID`, `DEVICE_BLOCKED`, `AUTH_DEVICE_REVOKED`, `INVALID_FIELDS`, `RATE_LIMITED` */
export async function registerDevice(
  request: RegisterRequest,
  deps: RegistrationDependencies,
): Promise<{ readonly created: boolean; readonly answer: RegisterAnswer }> {
  await takeFromAddress(deps.limiter, 'register', request.address, IDENTITY_LIMITS.registerPerAddress);
  const publicKey = vetPublicKey(request.publicKey);
  const fingerprints = hashFingerprints(request.fingerprints, deps.peppers);
  const nowMs = deps.clock.now();
  const { family, refreshToken } = newFamily(nowMs);
  const outcome = await deps.registry.register(
    { publicKey, fingerprints, device: request.device, family },
    (evidence) => judgeHardware(evidence, deps.devicesPerHardware),
  );
  if (outcome.outcome === 'blocked') throw new VelloError('DEVICE_BLOCKED');
  if (outcome.outcome === 'revoked') throw new VelloError('AUTH_DEVICE_REVOKED');
  const { userId, deviceId, granted, balance, superseded } = outcome;
  await Promise.all(superseded.map((familyId) => deps.grants.revoke({ familyId })));
  // Said again with each sign-in, in case the announcement was lost when the balance changed.
  await announceBalance(deps.grants, userId, balance, outcome.suspended);
  const owner = { userId, deviceId, familyId: family.familyId };
  const pair = await deps.pairs.issue(owner, refreshToken, family.tokenExpiresAtMs - nowMs);
  return {
    created: outcome.outcome === 'created',
    answer: { user_id: userId, device_id: deviceId, ...pair, credits: { granted, balance } },
  };
}
