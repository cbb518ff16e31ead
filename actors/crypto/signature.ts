/** Verifies Ed25519 signatures of vetted keys, off the event loop as soon as there is more than one to do. Keeps imported keys; does no vetting. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { createRecentMap } from '../bounds/recent-map.ts';

export interface SignatureVerifier {
  /** Whether `signature` (64 bytes) by `publicKey` (32 vetted bytes) covers `message`. Never rejects for a bad signature. */
  verify(publicKey: Buffer, message: Buffer, signature: Buffer): Promise<boolean>;
}

/** `capacity` imported keys are kept; importing one costs about as much as verifying with it. */
export function createSignatureVerifier(capacity = 10_000): SignatureVerifier {
  const keys = createRecentMap<KeyObject>(capacity);
  let isAlone = true;

  const imported = (publicKey: Buffer): KeyObject => {
    const id = publicKey.toString('latin1');
    const known = keys.get(id);
    if (known !== undefined) return known;
    // As a JWK: importing DER takes several times as long.
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    keys.set(id, key);
    return key;
  };

  return {
    async verify(publicKey, message, signature) {
      // A signature of another length is one that does not hold; a key of another length could not be imported.
      if (publicKey.length !== 32) return false;
      const key = imported(publicKey);
      if (isAlone) {
        // The first of this turn of the event loop: alone, a verification here answers sooner than a trip through the thread pool.
        isAlone = false;
        setImmediate(() => (isAlone = true));
        return verify(null, message, key, signature);
      }
      return new Promise<boolean>((resolve, reject) => {
        verify(null, message, key, signature, (error, valid) => {
          if (error === null) resolve(valid);
          else reject(error);
        });
      });
    },
  };
}
