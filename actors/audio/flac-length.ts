/**
 * The length of a FLAC stream, by the samples of the frames that passed (RFC 9639 §9). STREAMINFO's total is a claim: it only
 * tells whether the last frame, whose end cannot be seen, is whole.
 */
import { viewOf, type ByteProgram } from './byte-program.ts';
import type { LengthReader } from './length-reader.ts';
import { isPossibleRate } from './possible-rate.ts';

/** Frames that a damaged header may hide between two sound ones; what is missing beyond that was not sent. */
const MOST_HIDDEN = 8;

export function flacLength(): LengthReader {
  const state: State = { rate: 0, samples: 0, lastSamples: 0, claimedSamples: 0 };
  return {
    program: readStream(state),
    seconds: () => {
      const { rate, samples, lastSamples, claimedSamples } = state;
      if (!isPossibleRate(rate)) return 0;
      return (claimedSamples > samples ? samples - lastSamples : samples) / rate;
    },
  };
}

interface State {
  rate: number;
  samples: number;
  lastSamples: number;
  claimedSamples: number;
}

function* readStream(state: State): ByteProgram {
  for (let isLast = false; !isLast;) {
    const head = viewOf(yield { take: 4 }).getUint32(0);
    const bodyBytes = head & 0xff_ffff;
    const isStreamInfo = ((head >>> 24) & 0x7f) === 0 && bodyBytes === 34;
    isLast = head >>> 31 === 1;
    if (isStreamInfo) {
      const info = viewOf(yield { take: 34 });
      state.rate = info.getUint32(10) >>> 12;
      state.claimedSamples = (info.getUint8(13) & 0xf) * 2 ** 32 + info.getUint32(14);
    } else yield { skip: bodyBytes };
  }
  let previous: Frame | undefined;
  for (;;) {
    yield { find: 0xff };
    const frame: Frame | undefined = yield* readFrameHeader();
    if (frame === undefined) continue;
    if (frame.rate !== 0 && !isPossibleRate(state.rate)) state.rate = frame.rate;
    const hidden = previous === undefined || frame.isVariable ? 0 : frame.number - previous.number - 1;
    if (previous !== undefined && hidden > 0 && hidden <= MOST_HIDDEN) state.samples += hidden * previous.samples;
    state.samples += frame.samples;
    state.lastSamples = frame.samples;
    previous = frame;
  }
}

interface Frame {
  readonly isVariable: boolean;
  readonly number: number;
  readonly samples: number;
  /** 0 where only STREAMINFO tells it. */
  readonly rate: number;
}

/** A header whose checksum holds, or undefined: the byte that was found began none. */
function* readFrameHeader(): Generator<{ take: number }, Frame | undefined, Uint8Array> {
  const header: number[] = [0xff];
  const take = function* (): Generator<{ take: number }, number, Uint8Array> {
    const byte = (yield { take: 1 })[0] ?? 0;
    header.push(byte);
    return byte;
  };
  let second = yield* take();
  while (second === 0xff) {
    header.length = 1;
    second = yield* take();
  }
  if (second >>> 1 !== 0x7c) return undefined;
  const codes = yield* take();
  const channelsAndDepth = yield* take();
  const sizeCode = codes >>> 4;
  const rateCode = codes & 0xf;
  if (sizeCode === 0 || rateCode === 0xf || channelsAndDepth >>> 4 > 10 || (channelsAndDepth & 1) === 1)
    return undefined;

  const first = yield* take();
  const ones = Math.clz32(~(first << 24));
  if (ones === 1 || ones > 7) return undefined;
  let number = ones === 0 ? first : first & (0x7f >>> ones);
  for (let rest = ones - 1; rest > 0; rest -= 1) number = number * 64 + ((yield* take()) & 0x3f);

  let samples = samplesBySizeCode(sizeCode);
  if (sizeCode === 6) samples = (yield* take()) + 1;
  if (sizeCode === 7) samples = (yield* take()) * 256 + (yield* take()) + 1;
  let rate = RATES_BY_CODE[rateCode] ?? 0;
  if (rateCode === 12) rate = (yield* take()) * 1_000;
  if (rateCode === 13) rate = (yield* take()) * 256 + (yield* take());
  if (rateCode === 14) rate = ((yield* take()) * 256 + (yield* take())) * 10;

  const expected = checksum(header);
  if ((yield* take()) !== expected) return undefined;
  return { isVariable: (second & 1) === 1, number, samples, rate };
}

const RATES_BY_CODE = [
  0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
] as const;

function samplesBySizeCode(code: number): number {
  if (code === 1) return 192;
  return code <= 5 ? 144 * 2 ** code : 2 ** code;
}

/** CRC-8 with the polynomial x⁸ + x² + x + 1. */
function checksum(bytes: readonly number[]): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
  }
  return crc;
}
