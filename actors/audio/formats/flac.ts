/** Reads the headers of a FLAC stream and of its frames (RFC 9639 §8.2 and §9.1). */
import { viewOf } from './byte-program.ts';

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

/** A header takes no more bytes. */
export const MOST_FLAC_HEADER_BYTES = 16;

/** The header at `at`, or undefined where there is none that is whole. Its own checksum tells it from chance. */
export function flacFrameHeaderAt(bytes: Uint8Array, at: number): FlacFrameHeader | undefined {
  const second = bytes[at + 1] ?? 0;
  if (bytes[at] !== 0xff || (second & 0xfe) !== 0xf8) return undefined;
  const sizes = bytes[at + 2] ?? 0;
  const layout = bytes[at + 3] ?? 0;
  const sizeCode = sizes >>> 4;
  const rateCode = sizes & 0xf;
  const channelCode = layout >>> 4;
  const depthCode = (layout >>> 1) & 0x7;
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || depthCode === RESERVED_DEPTH || (layout & 1) !== 0) {
    return undefined;
  }
  // Written as UTF-8 writes characters, drawn out to 36 bits.
  const first = bytes[at + 4] ?? 0xff;
  const leading = Math.clz32(~(first << 24));
  if (leading === 1 || leading > 7) return undefined;
  let number = leading === 0 ? first : first & (0x7f >> leading);
  let next = at + 5;
  for (let left = leading - 1; left > 0; left--) {
    const byte = bytes[next++] ?? 0;
    if ((byte & 0xc0) !== 0x80) return undefined;
    number = number * 64 + (byte & 0x3f);
  }
  const read = (count: number): number => {
    let value = 0;
    for (let left = count; left > 0; left--) value = value * 256 + (bytes[next++] ?? 0);
    return value;
  };
  const blockSize = sizeCode === 6 || sizeCode === 7 ? read(sizeCode - 5) + 1 : blockSizeOf(sizeCode);
  let sampleRate = RATES[rateCode];
  if (rateCode >= 12) sampleRate = read(rateCode === 12 ? 1 : 2) * ([1000, 1, 10][rateCode - 12] ?? 1);
  if (next >= bytes.length || crc8(bytes, at, next) !== bytes[next]) return undefined;
  return {
    bytes: next + 1 - at,
    blockSize,
    sampleRate,
    channels: channelCode < 8 ? channelCode + 1 : 2,
    stereo: STEREOS[channelCode - 8] ?? 'independent',
    bitsPerSample: DEPTHS[depthCode],
    number,
    countsSamples: (second & 1) === 1,
  };
}

const blockSizeOf = (code: number): number => (code === 1 ? 192 : code < 6 ? 576 << (code - 2) : 256 << (code - 8));

const crcTable = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : (crc << 1) ^ 0x07;
  return crc;
});

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) crc = crcTable[crc ^ (bytes[at] ?? 0)] ?? 0;
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
