/** Guesses how long a recording is that does not say so in a way we read, from its size: better than billing an hour as nothing. */

/** Usual bit rates of speech in the containers that clients send, in bytes per second. */
const RATES: readonly {
  readonly signature: readonly number[];
  readonly at: number;
  readonly bytesPerSecond: number;
}[] = [
  // MP3 with an ID3 tag, MP3 frames (MPEG-1 and -2 layer III): 128 kbit/s
  { signature: [0x49, 0x44, 0x33], at: 0, bytesPerSecond: 16_000 },
  { signature: [0xff, 0xfb], at: 0, bytesPerSecond: 16_000 },
  { signature: [0xff, 0xf3], at: 0, bytesPerSecond: 8_000 },
  // Ogg and WebM carry Opus: 32 kbit/s
  { signature: [0x4f, 0x67, 0x67, 0x53], at: 0, bytesPerSecond: 4_000 },
  { signature: [0x1a, 0x45, 0xdf, 0xa3], at: 0, bytesPerSecond: 4_000 },
  // FLAC whose writer did not state its length: half of 16-bit mono at 16 kHz
  { signature: [0x66, 0x4c, 0x61, 0x43], at: 0, bytesPerSecond: 16_000 },
  // MP4/M4A carry AAC: 96 kbit/s
  { signature: [0x66, 0x74, 0x79, 0x70], at: 4, bytesPerSecond: 12_000 },
];

/** Bytes of a file that `estimateAudioSeconds` looks at. */
export const ESTIMATE_SIGNATURE_BYTES = 8;

/** Between AMR, with a tenth of it, and the samples of a CD, with ten times as much: both are read by providers and by nobody here. */
const UNKNOWN_BYTES_PER_SECOND = 16_000;

/** Seconds. What a provider has recognised is a recording, whatever its first bytes say. */
export function estimateAudioSeconds(firstBytes: Uint8Array, fileBytes: number): number {
  const found = RATES.find(({ signature, at }) => signature.every((byte, index) => firstBytes[at + index] === byte));
  return Math.round((fileBytes / (found?.bytesPerSecond ?? UNKNOWN_BYTES_PER_SECOND)) * 1000) / 1000;
}
