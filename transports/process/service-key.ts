/** The key by which a service of this installation signs: made once, kept in a file that only its owner can read. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ServiceKey {
  readonly serviceId: string;
  readonly privateKey: KeyObject;
  /** 32 bytes, as the api stores it. */
  readonly publicKey: Buffer;
}

/** Reads `<folder>/<service id>.pem` (PKCS #8), or makes it. */
export function loadServiceKey(folder: string, serviceId: string): ServiceKey {
  const path = join(folder, `${serviceId}.pem`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  try {
    // Exclusive: of two processes that start together, both end up with the key of the first.
    writeFileSync(path, pem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const privateKey = createPrivateKey(readFileSync(path));
  return { serviceId, privateKey, publicKey: rawPublicKey(privateKey) };
}

/** The last 32 bytes of SubjectPublicKeyInfo (RFC 8410 §4). */
function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(-32);
}
