/** Judges a request that one of our own services signed (contract §3, service to service). */
import { createHash } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { decodeBase64url } from '../crypto/base64url.ts';
import type { SignatureVerifier } from '../crypto/signature.ts';
import { serviceRequestText } from '../crypto/signed-texts.ts';

/** Who may call the api as a service. */
export interface ServiceAccounts {
  /** Public keys (32 vetted bytes) that may sign for the service now; none for an unknown or disabled one. Never older than a second. */
  keysOf(serviceId: string): Promise<readonly Buffer[]>;
}

/**
 * - `fresh`: not used before, remembered now.
 * - `replayed`: used before.
 * - `forgotten`: signed before the memory was last emptied, so nobody can tell.
 */
export type SignatureUse = 'fresh' | 'replayed' | 'forgotten';

export interface UsedSignatures {
  /** Remembers a signed text by its hash for `lifetimeMs`. Rejects when the memory is away: what cannot be told from a replay is not accepted. */
  use(textHash: string, signedAtMs: number, lifetimeMs: number): Promise<SignatureUse>;
}

/** How far a service's clock may be off, either way: services run NTP. */
export const SERVICE_CLOCK_TOLERANCE_MS = 300_000;

export interface SignedServiceRequest {
  /** The header `X-Vello-Service`. */
  readonly serviceId: string;
  /** The header `Authorization`: `Ed25519 <unix seconds>:<signature>`. */
  readonly authorization: string;
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly path: string;
}

export interface ServiceRequestDependencies {
  readonly services: ServiceAccounts;
  readonly used: UsedSignatures;
  readonly signatures: SignatureVerifier;
  readonly clock: Clock;
}

/**
 * Judges what the headers say and returns the judge of the body, so that nobody waits for the body of a request that cannot be one of ours.
 * Both reject.
 * @throws VelloError `SERVICE_AUTH_INVALID`, `SERVICE_CLOCK_SKEW`, `SERVICE_SIGNATURE_REPLAYED`
 */
export async function acceptServiceRequest(
  request: SignedServiceRequest,
  deps: ServiceRequestDependencies,
): Promise<(body: Buffer) => Promise<{ readonly serviceId: string }>> {
  const [, seconds, encoded] = AUTHORIZATION.exec(request.authorization) ?? [];
  const signature = encoded === undefined ? undefined : decodeBase64url(encoded, 64);
  const { serviceId } = request;
  if (seconds === undefined || signature === undefined || !SERVICE_ID.test(serviceId)) {
    throw new VelloError('SERVICE_AUTH_INVALID');
  }
  const timestamp = Number(seconds);
  const nowMs = deps.clock.now();
  if (Math.abs(timestamp * 1000 - nowMs) > SERVICE_CLOCK_TOLERANCE_MS) {
    throw new VelloError('SERVICE_CLOCK_SKEW', undefined, { members: { server_time: new Date(nowMs).toISOString() } });
  }
  const keys = await deps.services.keysOf(serviceId);
  if (keys.length === 0) throw new VelloError('SERVICE_AUTH_INVALID');
  return async (body) => {
    const { method, path } = request;
    const bodySha256 = createHash('sha256').update(body).digest('hex');
    const text = serviceRequestText({ serviceId, timestamp, method, path, bodySha256 });
    if (!(await signedByAny(keys, text, signature, deps.signatures))) throw new VelloError('SERVICE_AUTH_INVALID');
    // The text and not the signature: whoever could alter a signature without breaking it must not get a second use.
    const hash = createHash('sha256').update(text).digest('base64url');
    // Remembered from the earliest to the latest moment at which this timestamp is accepted.
    const use = await deps.used.use(hash, timestamp * 1000, 2 * SERVICE_CLOCK_TOLERANCE_MS);
    if (use !== 'fresh') {
      const emptied = 'The signature is older than the memory of used signatures; sign again.';
      throw new VelloError('SERVICE_SIGNATURE_REPLAYED', use === 'forgotten' ? emptied : undefined);
    }
    return { serviceId };
  };
}

const AUTHORIZATION = /^Ed25519 (\d{9,11}):([A-Za-z0-9_-]{86})$/;
const SERVICE_ID = /^[a-z][a-z0-9-]{1,62}$/;
async function signedByAny(
  keys: readonly Buffer[],
  text: Buffer,
  signature: Buffer,
  signatures: SignatureVerifier,
): Promise<boolean> {
  for (const key of keys) if (await signatures.verify(key, text, signature)) return true;
  return false;
}
