/** Checks the key that callers of the inference role present, in constant time. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { VelloError } from '../../../config/errors.ts';

/** @throws VelloError `INFERENCE_KEY_INVALID` unless `authorization` is `Bearer <key>`. Without a key everybody passes. */
export function requireKey(authorization: string, key: string | undefined): void {
  if (key === undefined) return;
  const presented = /^Bearer +(.+)$/i.exec(authorization)?.[1] ?? '';
  // Hashes have one length, and comparing them says nothing about the key.
  if (!timingSafeEqual(sha256(presented), sha256(key))) throw new VelloError('INFERENCE_KEY_INVALID');
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
