/** Seals small secrets for storage: AES-256-GCM with a random nonce, bound to what the secret is for. Pure. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { VelloError } from '../../config/errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Returns nonce, ciphertext and tag. `purpose` must be given again to open. */
export function seal(key: Buffer, purpose: string, secret: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose));
  return Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}

/** @throws VelloError `SECRET_KEY_WRONG` when the key or the purpose is not the one it was sealed with. */
export function unseal(key: Buffer, purpose: string, sealed: Buffer): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES))
      .setAAD(Buffer.from(purpose))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new VelloError('SECRET_KEY_WRONG', 'A stored secret was sealed under another VELLO_SECRET_KEY.', { cause });
  }
}
