/** Reads a FLAC frame's header (RFC 9639 §9.1), which its own checksum tells from chance. */

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

const rates = [undefined, 88_200, 176_400, 192_000, 8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
const depths = [undefined, 8, 12, undefined, 16, 20, 24, 32];
const RESERVED_DEPTH = 3;
const STEREOS = ['left-side', 'side-right', 'mid-side'] as const;

/** The header at `at`, or undefined where there is none. */
export function flacFrameHeaderAt(file: Uint8Array, at: number): FlacFrameHeader | undefined {
  if (file[at] !== 0xff || ((file[at + 1] ?? 0) & 0xfe) !== 0xf8) return undefined;
  const [sizes = 0, layout = 0] = file.subarray(at + 2, at + 4);
  const [sizeCode, rateCode] = [sizes >> 4, sizes & 0xf];
  const [channelCode, depthCode] = [layout >> 4, (layout >> 1) & 0x7];
  if (sizeCode === 0 || rateCode === 15 || channelCode > 10 || depthCode === RESERVED_DEPTH || (layout & 1) !== 0) {
    return undefined;
  }
  const coded = codedNumber(file, at + 4);
  if (coded === undefined) return undefined;
  let next = at + 4 + coded.bytes;
  const read = (bytes: number): number => {
    let value = 0;
    for (; bytes > 0; bytes--) value = value * 256 + (file[next++] ?? 0);
    return value;
  };
  const blockSize = sizeCode === 6 || sizeCode === 7 ? read(sizeCode - 5) + 1 : blockSizeOf(sizeCode);
  const sampleRate =
    rateCode === 12 ? read(1) * 1000 : rateCode === 13 ? read(2) : rateCode === 14 ? read(2) * 10 : rates[rateCode];
  if (next >= file.length || crc8(file, at, next) !== file[next]) return undefined;
  return {
    bytes: next + 1 - at,
    blockSize,
    sampleRate,
    channels: channelCode < 8 ? channelCode + 1 : 2,
    stereo: STEREOS[channelCode - 8] ?? 'independent',
    bitsPerSample: depths[depthCode],
    number: coded.value,
    countsSamples: ((file[at + 1] ?? 0) & 1) === 1,
  };
}

const blockSizeOf = (code: number): number => (code === 1 ? 192 : code < 6 ? 576 << (code - 2) : 256 << (code - 8));

/** Written as UTF-8 writes characters, drawn out to 36 bits. */
function codedNumber(file: Uint8Array, at: number): { value: number; bytes: number } | undefined {
  const first = file[at] ?? 0xff;
  const leading = Math.clz32(~(first << 24));
  if (leading === 1 || leading > 7) return undefined;
  const bytes = Math.max(1, leading);
  let value = leading === 0 ? first : first & (0x7f >> leading);
  for (let index = 1; index < bytes; index++) {
    const byte = file[at + index] ?? 0;
    if ((byte & 0xc0) !== 0x80) return undefined;
    value = value * 64 + (byte & 0x3f);
  }
  return { value, bytes };
}

function crc8(file: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    crc ^= file[at] ?? 0;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80) === 0 ? crc << 1 : ((crc << 1) ^ 0x07) & 0xff;
  }
  return crc;
}
