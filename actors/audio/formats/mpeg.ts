/** Reads the headers of MPEG audio frames (ISO 11172-3, 13818-3) and of AAC in ADTS (ISO/IEC 14496-3 §1.A.3.2). */

interface MpegFrame {
  readonly bytes: number;
  readonly seconds: number;
  readonly samples: number;
  /** What must not change from frame to frame; tells a frame from bytes that only look like one. */
  readonly kind: number;
}

/** The frame that begins at `at` with six bytes, if one does. */
export function mpegFrameAt(bytes: Uint8Array, at: number): MpegFrame | undefined {
  const bits = bitsAt(bytes, at);
  if (bits >>> 21 !== 0x7ff) return undefined;
  const layer = (bits >>> 17) & 3;
  return layer === 0 ? adtsFrame(bytes, at, bits) : mpegFrame(bits, layer);
}

/** The four bytes of it. */
const bitsAt = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;

function adtsFrame(file: Uint8Array, at: number, bits: number): MpegFrame | undefined {
  const header = adtsHeaderAt(file, at);
  const rate = ADTS_RATES[(bits >>> 10) & 0xf];
  if (header === undefined || rate === undefined) return undefined;
  return { bytes: header.bytes, samples: 1_024, seconds: 1_024 / rate, kind: bits >>> 10 };
}

/** The header in the six bytes at `at`, if one is: `kind` is profile, index of the rate, and channels, in 2, 4 and 4 bits. */
export function adtsHeaderAt(file: Uint8Array, at: number) {
  if (file[at] !== 0xff || at + 6 > file.length) return undefined;
  const bits = bitsAt(file, at);
  // The syncword has a bit more here: layer 0 of MPEG 2.5 is nothing.
  if (bits >>> 20 !== 0xfff || ((bits >>> 17) & 3) !== 0) return undefined;
  const bytes = ((bits & 3) << 11) | ((file[at + 4] ?? 0) << 3) | ((file[at + 5] ?? 0) >>> 5);
  const headerBytes = ((bits >>> 16) & 1) === 1 ? 7 : 9;
  return bytes > headerBytes ? { bytes, headerBytes, kind: (bits >>> 6) & 0x3f7 } : undefined;
}

/** By the index in the header. */
export const ADTS_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

function mpegFrame(bits: number, layerBits: number): MpegFrame | undefined {
  const version = (bits >>> 19) & 3;
  const rateIndex = (bits >>> 10) & 3;
  const bitrateIndex = (bits >>> 12) & 0xf;
  const padding = (bits >>> 9) & 1;
  if (version === 1 || rateIndex === 3 || bitrateIndex === 0 || bitrateIndex === 15) return undefined;
  const layer = 4 - layerBits;
  const isFirst = version === 3;
  const rate = ([44_100, 48_000, 32_000][rateIndex] ?? 0) / (isFirst ? 1 : version === 2 ? 2 : 4);
  const table = isFirst ? layer : layer === 1 ? 4 : 5;
  const bitrate = (BITRATES[table - 1]?.[bitrateIndex - 1] ?? 0) * 1_000;
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1_152;
  const bytes =
    layer === 1
      ? (Math.floor((12 * bitrate) / rate) + padding) * 4
      : Math.floor((samples * bitrate) / 8 / rate) + padding;
  return { bytes, samples, seconds: samples / rate, kind: (bits >>> 17) * 4 + rateIndex };
}

/** kbit/s by index: MPEG 1 layers I to III, MPEG 2 layer I, MPEG 2 layers II and III. */
const BITRATES = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
