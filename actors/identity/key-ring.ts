/**
 * The keys that sign tokens, as one process knows them: one signs, the next one is already published, retired ones verify until
 * the last token they signed has expired. A key is found by the `kid` of this ring and by nothing else in a token.
 */
import { importJWK, type CryptoKey, type JWK } from 'jose';
import { createPrivateKey, randomBytes, type JsonWebKey, type KeyObject } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { generateKeyPair } from '../crypto/key-pair.ts';
import { seal, unseal } from '../crypto/sealed-box.ts';

export interface StoredSigningKey {
  readonly kid: string;
  readonly state: 'next' | 'current' | 'retired';
  readonly publicJwk: JWK;
  /** The private JWK, sealed for this installation. */
  readonly sealed: Buffer;
  readonly createdAtMs: number;
  readonly retiredAtMs: number | undefined;
}

export type NewSigningKey = Pick<StoredSigningKey, 'kid' | 'publicJwk' | 'sealed'>;

/** Where signing keys are kept, private halves sealed. */
export interface SigningKeyStore {
  /** Keys that are in use, and those retired since `retiredAfterMs`. */
  load(retiredAfterMs: number): Promise<readonly StoredSigningKey[]>;
  /** Stores the two where a current and a next key are missing; does nothing where another process was first. */
  provide(current: NewSigningKey, next: NewSigningKey): Promise<void>;
}

export interface KeyRing {
  /** The key that signs now. */
  current(): { readonly kid: string; readonly privateKey: KeyObject };
  publicKey(kid: string): CryptoKey | undefined;
  /** The public halves (RFC 7517), current first. */
  jwks(): { readonly keys: readonly JWK[] };
  /** Reads the store again: after a rotation was announced, and now and then. */
  reload(): Promise<void>;
}

/** A retired key verifies this much longer: the longest life of a token, and room for a process that had not heard yet. */
export const RETIRED_KEY_GRACE_MS = 3_600_000;

/** @throws VelloError `SECRET_KEY_WRONG` when the stored keys were sealed by another installation key. */
export async function openKeyRing(options: {
  readonly store: SigningKeyStore;
  readonly sealingKey: Buffer;
  readonly clock: Clock;
}): Promise<KeyRing> {
  const { store, sealingKey, clock } = options;
  const load = () => store.load(clock.now() - RETIRED_KEY_GRACE_MS);
  let stored = await load();
  if (!stored.some((key) => key.state === 'current')) {
    await store.provide(generateSigningKey(sealingKey), generateSigningKey(sealingKey));
    stored = await load();
  }
  let ring = await unsealRing(stored, sealingKey);
  return {
    current: () => ring.current,
    publicKey: (kid) => ring.publicKeys.get(kid),
    jwks: () => ring.jwks,
    reload: async () => {
      ring = await unsealRing(await load(), sealingKey);
    },
  };
}

/** A new key pair, its private half sealed. */
export function generateSigningKey(sealingKey: Buffer): NewSigningKey {
  const { d, ...publicJwk } = generateKeyPair().privateKey.export({ format: 'jwk' });
  const kid = randomBytes(12).toString('base64url');
  const secret = Buffer.from(JSON.stringify({ ...publicJwk, d }));
  return {
    kid,
    publicJwk: { ...publicJwk, kid, alg: 'Ed25519', use: 'sig' },
    sealed: seal(sealingKey, sealPurpose(kid), secret),
  };
}

const sealPurpose = (kid: string): string => `signing key ${kid}`;
const ORDER = { current: 0, next: 1, retired: 2 };

async function unsealRing(stored: readonly StoredSigningKey[], sealingKey: Buffer) {
  const sorted = stored.toSorted((a, b) => ORDER[a.state] - ORDER[b.state]);
  const first = sorted[0];
  if (first?.state !== 'current') throw new VelloError('UNAVAILABLE', 'There is no current signing key.');
  const privateJwk = JSON.parse(unseal(sealingKey, sealPurpose(first.kid), first.sealed).toString()) as JsonWebKey;
  const publicKeys = new Map<string, CryptoKey>();
  for (const key of sorted) publicKeys.set(key.kid, (await importJWK(key.publicJwk, 'Ed25519')) as CryptoKey);
  return {
    current: { kid: first.kid, privateKey: createPrivateKey({ key: privateJwk, format: 'jwk' }) },
    publicKeys,
    jwks: { keys: sorted.map((key) => key.publicJwk) },
  };
}
