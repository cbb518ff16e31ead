/** Skips the ID3v2 tags that writers put in front of FLAC and mp3, sometimes two of them. */

/** Index of the first byte behind them. */
export function afterId3Tags(file: Uint8Array): number {
  let at = 0;
  while (at + 10 <= file.length && file[at] === 0x49 && file[at + 1] === 0x44 && file[at + 2] === 0x33) {
    at += 10 + file.subarray(at + 6, at + 10).reduce((size, byte) => size * 128 + (byte & 0x7f), 0);
  }
  return at;
}
