/** Proves to the api who we are and opens an account on first sight: challenge, verify, register (contract §3, steps 1, 2 and 4). */
import { deviceAuthText } from '../../actors/crypto/signed-texts.ts';
import type { CallApi } from './api-client.ts';
import type { DeviceIdentity } from './device-identity.ts';
import type { ServerClock } from './server-clock.ts';

export interface DeviceDescription {
  /** Shown to the user in a list of devices. */
  readonly name: string;
  readonly os: string;
  readonly app_version: string;
}

/** At least three, by the names of contract §3.3 (`machine_id`, `bios_uuid`, …). How they are read is the application's affair. */
export type Fingerprints = Readonly<Record<string, string>>;

/** Answer of the registration, as on the wire. */
export interface RegistrationAnswer {
  readonly user_id: string;
  readonly device_id: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_expires_in: number;
  readonly credits: { readonly granted: number; readonly balance: number };
}

export interface Authenticated extends RegistrationAnswer {
  /** Whether this made a new account; false for a key that the server knew. */
  readonly created: boolean;
}

interface Challenge {
  readonly challenge_id: string;
  readonly nonce: string;
  readonly server_time: string;
}

interface Verified {
  readonly bootstrap_token: string;
  readonly device_registered: boolean;
  readonly server_time?: string;
  readonly next_sequence?: number;
}

/** Safe to repeat as a whole: the same key gets its account back. @throws ClientError with the server's code. */
export async function authenticate(
  call: CallApi,
  identity: DeviceIdentity,
  serverClock: ServerClock,
  fingerprints: Fingerprints,
  device: DeviceDescription,
): Promise<Authenticated> {
  const challenge = await call({
    method: 'POST',
    path: '/api/auth/ed25519/challenge',
    body: { public_key: identity.publicKey },
  });
  const { challenge_id: challengeId, nonce, server_time: challengedAt } = challenge.body as Challenge;
  serverClock.observe(challengedAt, challenge.sentAtMs);

  const verified = await call({
    method: 'POST',
    path: '/api/auth/ed25519/verify',
    body: {
      challenge_id: challengeId,
      signature: identity.sign(deviceAuthText({ challengeId, nonce, publicKey: identity.publicKey })),
    },
  });
  const { bootstrap_token: bearer, server_time: serverTime, next_sequence: nextSequence } = verified.body as Verified;
  if (serverTime !== undefined) serverClock.observe(serverTime, verified.sentAtMs);
  if (nextSequence !== undefined) await identity.raiseSequence(nextSequence);

  const registered = await call({
    method: 'POST',
    path: '/api/devices/register',
    bearer,
    body: { fingerprints, device },
  });
  return { ...(registered.body as RegistrationAnswer), created: registered.status === 201 };
}
