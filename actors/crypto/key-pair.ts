/** Makes Ed25519 key pairs (RFC 8032). Keys that others made are vetted elsewhere. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface KeyPair {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

/** Returns a new pair. */
export function generateKeyPair(): KeyPair {
  // Through its encoding: in Node.js 20 a key object that the generator hands out shares a lock with the generator, and deadlocks the
  // process when the garbage collector meets the one while the other is being exported.
  const { privateKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  return keyPairOf(createPrivateKey({ key: privateKey, type: 'pkcs8', format: 'der' }));
}

/** Returns the pair of an Ed25519 private key. */
export function keyPairOf(privateKey: KeyObject): KeyPair {
  // The last 32 bytes of SubjectPublicKeyInfo (RFC 8410 §4).
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-32);
  return { privateKey, publicKey };
}
