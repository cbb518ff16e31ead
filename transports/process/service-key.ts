/** The key by which a service of this installation signs: made once, kept in a file that only its owner can read. */
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeyPair, keyPairOf, type KeyPair } from '../../actors/crypto/key-pair.ts';

export interface ServiceKey extends KeyPair {
  readonly serviceId: string;
}

/** Reads `<folder>/<service id>.pem` (PKCS #8), or makes it. */
export function loadServiceKey(folder: string, serviceId: string): ServiceKey {
  const path = join(folder, `${serviceId}.pem`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pem = generateKeyPair().privateKey.export({ type: 'pkcs8', format: 'pem' });
  try {
    // Exclusive: of two processes that start together, both end up with the key of the first.
    writeFileSync(path, pem, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return { serviceId, ...keyPairOf(createPrivateKey(readFileSync(path))) };
}
