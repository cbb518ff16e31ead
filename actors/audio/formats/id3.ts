/** ID3v2 tags, which writers put in front of FLAC and mp3, sometimes two of them. */

/** Bytes behind a tag's head, by the four bytes that the head ends with: they hold 7 bits each. */
export const id3BodyBytes = (size: Uint8Array): number => size.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);

/** Index of the first byte behind them. */
export function afterId3Tags(file: Uint8Array): number {
  let at = 0;
  while (at + 10 <= file.length && file[at] === 0x49 && file[at + 1] === 0x44 && file[at + 2] === 0x33) {
    at += 10 + id3BodyBytes(file.subarray(at + 6, at + 10));
  }
  return at;
}
