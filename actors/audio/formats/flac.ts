/** Reads the headers of a FLAC stream and of its frames (RFC 9639 §8.2 and §9.1). */
import { readAt, viewOf, type ByteReader } from './byte-program.ts';

export interface FlacFrameHeader {
  /** Bytes up to the first subframe. */
  readonly bytes: number;
  /** Samples of each channel. */
  readonly blockSize: number;
  /** Hz; undefined: as the stream's header says. */
  readonly sampleRate: number | undefined;
  readonly channels: number;
  readonly stereo: 'independent' | 'left-side' | 'side-right' | 'mid-side';
  /** Undefined: as the stream's header says. */
  readonly bitsPerSample: number | undefined;
  /** Where the frame begins, in samples where block sizes vary and in frames where they do not. */
  readonly number: number;
  readonly countsSamples: boolean;
}

const RATES = [undefined, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const DEPTHS = [undefined, 8, 12, undefined, 16, 20, 24, 32];
const RESERVED_DEPTH = 3;
const STEREOS = ['left-side', 'side-right', 'mid-side'] as const;

/** The header that begins with 0xff and `second`, by what follows them, or undefined. Its own checksum tells it from chance. */
export function* readFlacFrameHeader(second: number): ByteReader<FlacFrameHeader | undefined> {
  if ((second & 0xfe) !== 0xf8) return undefined;
  const seen = [0xff, second];
  const read = function* (bytes: number): ByteReader<number> {
    let value = 0;
    for (const byte of yield { take: bytes }) {
      seen.push(byte);
      value = value * 256 + byte;
    }
    return value;
  };
  const codes = yield* read(2);
  const [sizeCode, rateCode] = [codes >>> 12, (codes >>> 8) & 0xf];
  const [channelCode, depthCode] = [(codes >>> 4) & 0xf, (codes >>> 1) & 0x7];
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || depthCode === RESERVED_DEPTH || (codes & 1) !== 0) {
    return undefined;
  }
  // Written as UTF-8 writes characters, drawn out to 36 bits.
  const first = yield* read(1);
  const leading = Math.clz32(~(first << 24));
  if (leading === 1 || leading > 7) return undefined;
  let number = leading === 0 ? first : first & (0x7f >> leading);
  for (let left = leading - 1; left > 0; left--) {
    const byte = yield* read(1);
    if ((byte & 0xc0) !== 0x80) return undefined;
    number = number * 64 + (byte & 0x3f);
  }
  const blockSize = sizeCode === 6 || sizeCode === 7 ? (yield* read(sizeCode - 5)) + 1 : blockSizeOf(sizeCode);
  let sampleRate = RATES[rateCode];
  if (rateCode >= 12) sampleRate = (yield* read(rateCode === 12 ? 1 : 2)) * ([1000, 1, 10][rateCode - 12] ?? 1);
  const expected = crc8(seen);
  if ((yield* read(1)) !== expected) return undefined;
  return {
    bytes: seen.length,
    blockSize,
    sampleRate,
    channels: channelCode < 8 ? channelCode + 1 : 2,
    stereo: STEREOS[channelCode - 8] ?? 'independent',
    bitsPerSample: DEPTHS[depthCode],
    number,
    countsSamples: (second & 1) === 1,
  };
}

/** The header at `at`, or undefined where there is none. */
export function flacFrameHeaderAt(file: Uint8Array, at: number): FlacFrameHeader | undefined {
  return file[at] === 0xff ? readAt(file, at + 2, readFlacFrameHeader(file[at + 1] ?? 0))?.value : undefined;
}

const blockSizeOf = (code: number): number => (code === 1 ? 192 : code < 6 ? 576 << (code - 2) : 256 << (code - 8));

function crc8(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : ((crc << 1) ^ 0x07) & 0xff;
  }
  return crc;
}

export interface FlacStreamInfo {
  readonly sampleRate: number;
  readonly bitsPerSample: number;
  /** 0: not said. */
  readonly totalSamples: number;
}

/** Of a STREAMINFO block's body, 18 bytes of it or more. */
export function flacStreamInfoOf(body: Uint8Array): FlacStreamInfo {
  const packed = viewOf(body).getBigUint64(10);
  return {
    sampleRate: Number(packed >> 44n),
    bitsPerSample: Number((packed >> 36n) & 31n) + 1,
    totalSamples: Number(packed & 0xfffffffffn),
  };
}
