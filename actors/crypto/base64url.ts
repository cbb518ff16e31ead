/** Strict base64url without padding (RFC 4648 §5): one text for each byte string, so that encodings can be compared and signed. */

/** Whether `text` is the only canonical encoding of some bytes. */
export function isCanonicalBase64url(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

/** Returns the bytes, or `undefined` unless `text` is the only canonical encoding of exactly `lengthBytes` bytes. */
export function decodeBase64url(text: string, lengthBytes: number): Buffer | undefined {
  // Node ignores what it cannot decode, so the text is checked by encoding the result again.
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === lengthBytes && bytes.toString('base64url') === text ? bytes : undefined;
}
