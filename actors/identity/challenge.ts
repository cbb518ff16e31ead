/** Challenge and answer: how a desktop proves that it holds its key (contract §3.1, §3.2). Freshness comes from our nonce, not from its clock. */
import { randomBytes } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import type { SourceAddress } from '../bounds/source-address.ts';
import type { Clock } from '../ports/clock.ts';
import type { KnownDevices } from './known-devices.ts';
import type { RateLimiter } from '../ports/rate-limiter.ts';
import type { SequenceWindows } from './sequence-windows.ts';
import { decodeBase64url } from '../crypto/base64url.ts';
import { newId } from './new-id.ts';
import type { KeyScreen } from '../crypto/public-key.ts';
import { IDENTITY_LIMITS, takeFromAddress, takeOrRefuse } from './rate-limits.ts';
import type { SignatureVerifier } from '../crypto/signature.ts';
import { deviceAuthText } from '../crypto/signed-texts.ts';
import { BOOTSTRAP_TOKEN_SECONDS, type Tokens } from './tokens.ts';

export interface Challenge {
  /** Both base64url, as they travel and as they are signed. */
  readonly publicKey: string;
  readonly nonce: string;
}

/** Where challenges wait for their answer. */
export interface Challenges {
  /** Keeps a challenge for `lifetimeMs`. */
  put(challengeId: string, challenge: Challenge, lifetimeMs: number): Promise<void>;
  /** Removes and returns it in one step, so that of two takers one gets it; undefined when it is unknown, taken or expired. */
  take(challengeId: string): Promise<Challenge | undefined>;
}

export const CHALLENGE_LIFETIME_MS = 300_000;

export interface ChallengeDependencies {
  readonly screen: KeyScreen;
  readonly challenges: Challenges;
  readonly devices: KnownDevices;
  readonly sequences: SequenceWindows;
  readonly signatures: SignatureVerifier;
  readonly tokens: Tokens;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
}

export interface ChallengeAnswer {
  readonly challenge_id: string;
  readonly nonce: string;
  readonly expires_at: string;
  readonly server_time: string;
}

/**
 * The same answer whether or not the key is registered.
 * @throws VelloError `AUTH_KEY_INVALID`, `RATE_LIMITED`
 */
export async function issueChallenge(
  request: { readonly publicKey: string; readonly address: SourceAddress },
  deps: ChallengeDependencies,
): Promise<ChallengeAnswer> {
  deps.screen.pass(request.publicKey);
  await Promise.all([
    takeFromAddress(deps.limiter, 'challenge', request.address, IDENTITY_LIMITS.challengePerAddress),
    takeOrRefuse(deps.limiter, `challenge:key:${request.publicKey}`, IDENTITY_LIMITS.challengePerKey),
  ]);
  const challengeId = newId();
  const nonce = randomBytes(32).toString('base64url');
  const nowMs = deps.clock.now();
  await deps.challenges.put(challengeId, { publicKey: request.publicKey, nonce }, CHALLENGE_LIFETIME_MS);
  return {
    challenge_id: challengeId,
    nonce,
    expires_at: new Date(nowMs + CHALLENGE_LIFETIME_MS).toISOString(),
    server_time: new Date(nowMs).toISOString(),
  };
}

export interface VerifyAnswer {
  readonly bootstrap_token: string;
  readonly expires_in: number;
  readonly device_registered: boolean;
  /** First number that the device may put into X-Vello-Sequence. */
  readonly next_sequence: number;
  readonly server_time: string;
}

/**
 * The challenge is consumed, whatever the signature is worth.
 * @throws VelloError `AUTH_CHALLENGE_EXPIRED`, `AUTH_SIGNATURE_INVALID`, `AUTH_DEVICE_REVOKED`, `RATE_LIMITED`
 */
export async function answerChallenge(
  answer: { readonly challengeId: string; readonly signature: string; readonly address: SourceAddress },
  deps: ChallengeDependencies,
): Promise<VerifyAnswer> {
  await takeFromAddress(deps.limiter, 'verify', answer.address, IDENTITY_LIMITS.verifyPerAddress);
  const challenge = await deps.challenges.take(answer.challengeId);
  if (challenge === undefined) throw new VelloError('AUTH_CHALLENGE_EXPIRED');
  const signature = decodeBase64url(answer.signature, 64);
  const publicKey = Buffer.from(challenge.publicKey, 'base64url');
  const text = deviceAuthText({ challengeId: answer.challengeId, ...challenge });
  if (signature === undefined) throw new VelloError('AUTH_SIGNATURE_INVALID');
  // Looked up meanwhile: the challenge is used up, so that a wrong signature costs one look-up and no more.
  const [holds, device] = await Promise.all([
    deps.signatures.verify(publicKey, text, signature),
    deps.devices.findByKey(publicKey),
  ]);
  if (!holds) throw new VelloError('AUTH_SIGNATURE_INVALID');
  if (device?.revoked === true) throw new VelloError('AUTH_DEVICE_REVOKED');
  const nextSequence = device === undefined ? 1 : await deps.sequences.resume(device.deviceId, device.sequenceHigh);
  if (device !== undefined) await deps.devices.authenticated(device, nextSequence - 1);
  return {
    bootstrap_token: deps.tokens.issueBootstrap(challenge.publicKey, device?.deviceId),
    expires_in: BOOTSTRAP_TOKEN_SECONDS,
    device_registered: device !== undefined,
    next_sequence: nextSequence,
    server_time: new Date(deps.clock.now()).toISOString(),
  };
}
