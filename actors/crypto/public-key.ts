/** Decides which 32 bytes are a public key we accept: screened when a challenge is asked for, vetted before it is stored; then trusted. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { VelloError } from '../../config/errors.ts';
import { createRecentMap } from '../bounds/recent-map.ts';
import { decodeBase64url } from './base64url.ts';

export interface KeyScreen {
  /**
   * Returns where `encoded` is a canonical Ed25519 point that is not of small order. OpenSSL accepts small-order and non-canonical
   * keys, and for such a key one signature verifies every message (RFC 8032 §5.1.7 leaves the check to the caller).
   * @throws VelloError `AUTH_KEY_INVALID`
   */
  pass(encoded: string): void;
}

/** Remembers up to `capacity` encodings that passed: a desktop signs in with one key again and again. */
export function createKeyScreen(capacity = 10_000): KeyScreen {
  const passed = createRecentMap<true>(capacity);
  return {
    pass(encoded) {
      if (passed.get(encoded) === true) return;
      decode(encoded);
      passed.set(encoded, true);
    },
  };
}

/**
 * Returns the 32 bytes of a key that passes the screen and lies in the prime-order group: a mixed-order key verifies differently in
 * different libraries, and no honest key generator makes one. Ten times the price of the screen; paid once, before a key is stored.
 * @throws VelloError `AUTH_KEY_INVALID`
 */
export function vetPublicKey(encoded: string): Buffer {
  const { bytes, point } = decode(encoded);
  if (!point.isTorsionFree()) throw refused('It is not in the prime-order group.');
  return bytes;
}

function decode(encoded: string) {
  const bytes = decodeBase64url(encoded, 32);
  if (bytes === undefined) throw refused('It must be 32 bytes, base64url without padding.');
  let point;
  try {
    // zip215 off: an encoding whose y is not below the field's prime is refused.
    point = ed25519.Point.fromBytes(bytes, false);
  } catch {
    throw refused('It is not the canonical encoding of a point on the curve.');
  }
  if (point.isSmallOrder()) throw refused('It is a point of small order.');
  return { bytes, point };
}

const refused = (why: string): VelloError => new VelloError('AUTH_KEY_INVALID', `The public key is refused. ${why}`);
