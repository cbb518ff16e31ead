/** Judges a request that a desktop signed: key, clock, sequence (contract §3.7, §7). Decides nothing about what the request asks for. */
import { createHash } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { KnownDevices } from './known-devices.ts';
import type { GrantPublisher } from '../ports/grants.ts';
import type { Log } from '../ports/log.ts';
import type { SequenceVerdict, SequenceWindows } from './sequence-windows.ts';
import type { Authenticator } from './authenticator.ts';
import { decodeBase64url } from '../crypto/base64url.ts';
import type { SignatureVerifier } from '../crypto/signature.ts';
import { webSocketText } from '../crypto/signed-texts.ts';
import type { DesktopHandshake, DesktopPrincipal, DesktopAuth } from '../sessions/desktop-auth.ts';

/** How far a desktop's signed time may be off, either way. Bounds what is signed; never lengthens a token's life. */
export const DESKTOP_CLOCK_TOLERANCE_MS = 2 * 3600 * 1000;

interface DesktopAuthDependencies {
  readonly authenticator: Authenticator;
  readonly devices: KnownDevices;
  readonly sequences: SequenceWindows;
  readonly signatures: SignatureVerifier;
  readonly grants: GrantPublisher;
  readonly clock: Clock;
  readonly log: Log;
}

/** Token and signature must both hold, and name one device. */
export function createDesktopAuth(deps: DesktopAuthDependencies): DesktopAuth {
  return {
    verifyAccess: (token, address) => deps.authenticator.authenticate(token, address),
    verifyHandshake: (principal, handshake) => judge(principal, handshake, deps),
  };
}

async function judge(
  principal: DesktopPrincipal,
  request: DesktopHandshake,
  deps: DesktopAuthDependencies,
): Promise<number> {
  if (principal.deviceId !== request.deviceId) throw new VelloError('AUTH_SIGNATURE_INVALID');
  const { sequence, timestamp } = request;
  if (!Number.isSafeInteger(sequence) || sequence < 1 || !Number.isSafeInteger(timestamp)) {
    throw new VelloError('AUTH_SIGNATURE_INVALID', 'Timestamp and sequence must be whole numbers.');
  }
  const nowMs = deps.clock.now();
  const clockSkewMs = timestamp * 1000 - nowMs;
  if (Math.abs(clockSkewMs) > DESKTOP_CLOCK_TOLERANCE_MS) {
    throw new VelloError('AUTH_CLOCK_SKEW', undefined, { members: { server_time: new Date(nowMs).toISOString() } });
  }
  const device = await deps.devices.findById(request.deviceId);
  if (device === undefined || device.userId !== principal.userId) throw new VelloError('AUTH_SIGNATURE_INVALID');
  if (device.revoked) throw new VelloError('AUTH_DEVICE_REVOKED');

  const tokenSha256 = createHash('sha256').update(request.token).digest('hex');
  const text = webSocketText({ deviceId: request.deviceId, timestamp, sequence, tokenSha256 });
  const signature = decodeBase64url(request.signature, 64);
  if (signature === undefined || !(await deps.signatures.verify(device.publicKey, text, signature))) {
    throw new VelloError('AUTH_SIGNATURE_INVALID');
  }
  if (device.mustReauthenticate) throw new VelloError('AUTH_REAUTHENTICATE');
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH);
  const mark = { deviceId: request.deviceId, sequence, timestamp, digest };
  let verdict = await deps.sequences.mark(mark);
  if (verdict === 'unknown') verdict = await deps.sequences.mark(mark, device.sequenceHigh);
  await act(verdict, principal, sequence, deps);
  await deps.devices.requestAccepted(request.deviceId, sequence, clockSkewMs);
  return clockSkewMs;
}

/** 48 bits: enough to tell apart the two requests that one number could have. */
const DIGEST_LENGTH = 8;

async function act(
  verdict: SequenceVerdict,
  principal: DesktopPrincipal,
  sequence: number,
  deps: DesktopAuthDependencies,
): Promise<void> {
  switch (verdict) {
    case 'accepted':
      return;
    case 'replayed':
    case 'unknown':
      throw new VelloError('AUTH_SEQUENCE_REPLAYED');
    case 'second_writer': {
      deps.log.warn('Two writers of one device sequence', { userId: principal.userId, deviceId: principal.deviceId });
      // The families and not the device: after a new challenge the device gets tokens again.
      const families = await deps.devices.secondWriterSeen(principal, sequence);
      await Promise.all(families.map((familyId) => deps.grants.revoke({ familyId })));
      throw new VelloError('AUTH_REAUTHENTICATE');
    }
    case 'ahead':
    case 'reauthenticate':
      throw new VelloError('AUTH_REAUTHENTICATE');
  }
}
