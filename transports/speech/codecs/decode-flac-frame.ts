/** Decodes one FLAC frame (RFC 9639 §9.2) to one channel. The frame's checksum decides whether it is one. */
import type { FlacFrameHeader } from '../../../actors/audio/formats/flac.ts';
import { BitReader } from './bit-reader.ts';

export interface FlacFrame {
  /** All channels mixed, -1 to 1. */
  readonly samples: Float32Array;
  /** Index of the byte after the frame. */
  readonly end: number;
}

/** The frame whose header lies at `at`, or undefined where it is damaged or cut. */
export function decodeFlacFrame(
  file: Uint8Array,
  at: number,
  header: FlacFrameHeader,
  bitsPerSample: number,
): FlacFrame | undefined {
  const bits = new BitReader(file, at + header.bytes);
  const channels: Float64Array[] = [];
  for (let channel = 0; channel < header.channels; channel++) {
    const samples = subframe(bits, header.blockSize, bitsPerSample + (isSide(header, channel) ? 1 : 0));
    if (samples === undefined || bits.isPastEnd) return undefined;
    channels.push(samples);
  }
  const end = bits.nextByte + 2;
  if (end > file.length || crc16(file, at, end) !== 0) return undefined;
  return { samples: mixed(channels, header, bitsPerSample), end };
}

function isSide({ stereo }: FlacFrameHeader, channel: number): boolean {
  return stereo === 'side-right' ? channel === 0 : stereo !== 'independent' && channel === 1;
}

function mixed(channels: readonly Float64Array[], header: FlacFrameHeader, bitsPerSample: number): Float32Array {
  const [first, second] = channels;
  const samples = new Float32Array(header.blockSize);
  const scale = 1 / (2 ** (bitsPerSample - 1) * header.channels);
  for (let index = 0; index < samples.length; index++) {
    const [a, b] = [first?.[index] ?? 0, second?.[index] ?? 0];
    // Only the sum of both channels is needed.
    if (header.stereo === 'left-side') samples[index] = (2 * a - b) * scale;
    else if (header.stereo === 'side-right') samples[index] = (2 * b + a) * scale;
    else if (header.stereo === 'mid-side') samples[index] = (2 * a + (Math.abs(b) % 2)) * scale;
    else {
      let sum = 0;
      for (const channel of channels) sum += channel[index] ?? 0;
      samples[index] = sum * scale;
    }
  }
  return samples;
}

function subframe(bits: BitReader, size: number, depth: number): Float64Array | undefined {
  if (bits.unsigned(1) !== 0) return undefined;
  const type = bits.unsigned(6);
  const wasted = bits.unsigned(1) === 0 ? 0 : bits.zeros() + 1;
  const width = depth - wasted;
  if (width < 1) return undefined;
  const samples = new Float64Array(size);
  if (type === 0) samples.fill(bits.signed(width));
  else if (type === 1) for (let index = 0; index < size; index++) samples[index] = bits.signed(width);
  else if (type >= 8 && type <= 12) {
    const order = type - 8;
    if (!startAndResidual(bits, samples, order, () => readWarmUp(bits, samples, order, width))) return undefined;
    predict(samples, FIXED_PREDICTORS[order] ?? [], 0);
  } else if (type >= 32) {
    const order = type - 31;
    let coefficients: number[] = [];
    let shift = 0;
    const readStart = () => {
      readWarmUp(bits, samples, order, width);
      const precision = bits.unsigned(4) + 1;
      shift = bits.signed(5);
      coefficients = Array.from({ length: order }, () => bits.signed(precision));
      return precision < 16 && shift >= 0;
    };
    if (!startAndResidual(bits, samples, order, readStart)) return undefined;
    predict(samples, coefficients, shift);
  } else return undefined;
  if (wasted > 0) for (let index = 0; index < size; index++) samples[index] = (samples[index] ?? 0) * 2 ** wasted;
  return samples;
}

const FIXED_PREDICTORS = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

function readWarmUp(bits: BitReader, samples: Float64Array, order: number, width: number): boolean {
  for (let index = 0; index < order; index++) samples[index] = bits.signed(width);
  return true;
}

function startAndResidual(bits: BitReader, samples: Float64Array, order: number, readStart: () => boolean): boolean {
  return order <= samples.length && readStart() && readResidual(bits, samples, order);
}

function readResidual(bits: BitReader, samples: Float64Array, order: number): boolean {
  const method = bits.unsigned(2);
  if (method > 1) return false;
  const parameterBits = method === 0 ? 4 : 5;
  const escape = 2 ** parameterBits - 1;
  const partitions = 1 << bits.unsigned(4);
  const partitionSize = samples.length / partitions;
  if (!Number.isInteger(partitionSize) || partitionSize < order) return false;
  let index = order;
  for (let partition = 1; partition <= partitions; partition++) {
    const end = partition * partitionSize;
    const parameter = bits.unsigned(parameterBits);
    if (parameter === escape) {
      const width = bits.unsigned(5);
      for (; index < end; index++) samples[index] = bits.signed(width);
    } else {
      const scale = 2 ** parameter;
      for (; index < end; index++) {
        const folded = bits.zeros() * scale + bits.unsigned(parameter);
        samples[index] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
      }
    }
    if (bits.isPastEnd) return false;
  }
  return true;
}

/** Adds to each residual what the samples before it predict. Doubles hold every sum exactly: 32 terms of 15 and 33 bits. */
function predict(samples: Float64Array, coefficients: readonly number[], shift: number): void {
  const order = coefficients.length;
  const divisor = 2 ** shift;
  for (let index = order; index < samples.length; index++) {
    let sum = 0;
    for (let back = 0; back < order; back++) sum += (coefficients[back] ?? 0) * (samples[index - 1 - back] ?? 0);
    samples[index] = (samples[index] ?? 0) + Math.floor(sum / divisor);
  }
}

const crcTable = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x8005;
  return crc;
});

/** 0 over a frame with its own checksum. */
function crc16(file: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) crc = ((crc << 8) & 0xffff) ^ (crcTable[(crc >> 8) ^ (file[at] ?? 0)] ?? 0);
  return crc;
}
