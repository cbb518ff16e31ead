/** Reads one channel of an AAC frame (ISO/IEC 14496-3 §4.4.2.7, `individual_channel_stream`) up to its spectrum. */
import type { AacBands } from './aac-bands.ts';
import { scaleFactorCodebook, spectralCodebooks } from './aac-codebooks.ts';
import { readNoiseShaping, type NoiseShaping } from './aac-noise-shaping.ts';
import { AAC_COEFFICIENTS, eachBand, readWindowInfo, SHORT_SEQUENCE, type WindowInfo } from './aac-window.ts';
import type { BitReader } from '../bit-reader.ts';

export const NOISE_CODEBOOK = 13;
export const INTENSITY_CODEBOOKS = { opposed: 14, inPhase: 15 } as const;

export interface AacChannel {
  readonly window: WindowInfo;
  /** Of each group, of each band. */
  readonly codebooks: readonly (readonly number[])[];
  /** Scale factor, noise energy or intensity position, as the codebook says. */
  readonly factors: readonly (readonly number[])[];
  /** Eight short spectra lie behind one another. */
  readonly spectrum: Float64Array;
  readonly shaping: NoiseShaping | undefined;
}

/** `shared`: the window that both channels of a pair have in common. Undefined where the frame is damaged, or uses what the low-complexity profile does not have. */
export function readChannel(bits: BitReader, bands: AacBands, shared?: WindowInfo): AacChannel | undefined {
  const gain = bits.unsigned(8);
  const window = shared ?? readWindowInfo(bits, bands);
  const codebooks = window === undefined ? undefined : readSections(bits, window);
  if (window === undefined || codebooks === undefined) return undefined;
  const factors = readFactors(bits, codebooks, gain);
  if (factors === undefined) return undefined;
  const isShort = window.sequence === SHORT_SEQUENCE;
  const hasPulses = bits.unsigned(1) === 1;
  if (hasPulses && isShort) return undefined;
  const pulses = hasPulses ? readPulses(bits, window) : [];
  const shaping = bits.unsigned(1) === 1 ? readNoiseShaping(bits, isShort) : undefined;
  const hasGainControl = bits.unsigned(1) === 1;
  if (hasGainControl) return undefined;
  const quantised = readSpectrum(bits, window, codebooks);
  if (quantised === undefined || bits.isPastEnd) return undefined;
  for (const { at, amplitude } of pulses) {
    const value = quantised[at] ?? 0;
    if (at < AAC_COEFFICIENTS) quantised[at] = value > 0 ? value + amplitude : value - amplitude;
  }
  return { window, codebooks, factors, spectrum: scaled(quantised, window, codebooks, factors), shaping };
}

function readSections(bits: BitReader, window: WindowInfo): number[][] | undefined {
  const lengthBits = window.sequence === SHORT_SEQUENCE ? 3 : 5;
  const escape = 2 ** lengthBits - 1;
  const all: number[][] = [];
  while (all.length < window.groups.length) {
    const ofGroup: number[] = [];
    while (ofGroup.length < window.bandCount) {
      const codebook = bits.unsigned(4);
      let length = 0;
      let part = escape;
      while (part === escape && !bits.isPastEnd) length += part = bits.unsigned(lengthBits);
      if (codebook === 12 || bits.isPastEnd || length === 0 || ofGroup.length + length > window.bandCount) {
        return undefined;
      }
      for (; length > 0; length--) ofGroup.push(codebook);
    }
    all.push(ofGroup);
  }
  return all;
}

const NOISE_OFFSET = 90;
const FIRST_NOISE_BITS = 9;

function readFactors(bits: BitReader, codebooks: readonly number[][], gain: number): number[][] | undefined {
  let factor = gain;
  let noise = gain - NOISE_OFFSET;
  let position = 0;
  let isFirstNoise = true;
  // What cannot be read becomes a number that no scale factor can be.
  const difference = (): number => (scaleFactorCodebook.read(bits) ?? Infinity) - 60;
  const read = (codebook: number): number => {
    if (codebook === 0) return 0;
    if (codebook >= INTENSITY_CODEBOOKS.opposed) return (position += difference());
    if (codebook !== NOISE_CODEBOOK) return (factor += difference());
    noise += isFirstNoise ? bits.unsigned(FIRST_NOISE_BITS) - 2 ** (FIRST_NOISE_BITS - 1) : difference();
    isFirstNoise = false;
    return noise;
  };
  const factors = codebooks.map((ofGroup) => ofGroup.map(read));
  const isPossible = factors.every((ofGroup) => ofGroup.every((value) => Math.abs(value) <= 512));
  return isPossible ? factors : undefined;
}

function readPulses(bits: BitReader, window: WindowInfo): { readonly at: number; readonly amplitude: number }[] {
  const count = bits.unsigned(2) + 1;
  let at = window.starts[bits.unsigned(6)] ?? AAC_COEFFICIENTS;
  return Array.from({ length: count }, () => {
    at += bits.unsigned(5);
    return { at, amplitude: bits.unsigned(4) };
  });
}

/** How many values an index of each codebook holds, and of which range; whether signs follow. */
const layouts = [4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2].map((values, index) => ({
  values,
  range: [3, 3, 3, 3, 9, 9, 8, 8, 13, 13, 17][index] ?? 0,
  isSigned: [0, 1, 4, 5].includes(index),
}));
const ESCAPE_CODEBOOK = 11;

function readSpectrum(
  bits: BitReader,
  window: WindowInfo,
  codebooks: readonly (readonly number[])[],
): Float64Array | undefined {
  const spectrum = new Float64Array(AAC_COEFFICIENTS);
  let first = 0;
  for (const [group, windows] of window.groups.entries()) {
    for (let band = 0; band < window.bandCount; band++) {
      const number = codebooks[group]?.[band] ?? 0;
      if (number === 0 || number > ESCAPE_CODEBOOK) continue;
      const [from = 0, to = 0] = [window.starts[band], window.starts[band + 1]];
      for (let inGroup = 0; inGroup < windows; inGroup++) {
        if (!readBand(bits, number, spectrum, first + inGroup * 128 + from, first + inGroup * 128 + to))
          return undefined;
      }
    }
    first += windows * 128;
  }
  return spectrum;
}

function readBand(bits: BitReader, number: number, spectrum: Float64Array, from: number, to: number): boolean {
  const [codebook, layout] = [spectralCodebooks[number - 1], layouts[number - 1]];
  if (codebook === undefined || layout === undefined) return false;
  const { values, range, isSigned } = layout;
  for (let at = from; at < to; at += values) {
    let index = codebook.read(bits);
    if (index === undefined) return false;
    for (let place = values - 1; place >= 0; place--) {
      spectrum[at + place] = (index % range) - (isSigned ? (range - 1) / 2 : 0);
      index = Math.floor(index / range);
    }
    if (isSigned) continue;
    const negative = Array.from({ length: values }, (_, place) => spectrum[at + place] !== 0 && bits.unsigned(1) === 1);
    for (let place = 0; place < values; place++) {
      const value = spectrum[at + place] ?? 0;
      const size = number === ESCAPE_CODEBOOK && value === 16 ? readEscape(bits) : value;
      if (size === undefined) return false;
      spectrum[at + place] = negative[place] === true ? -size : size;
    }
  }
  return true;
}

function readEscape(bits: BitReader): number | undefined {
  let length = 4;
  while (bits.unsigned(1) === 1) length += 1;
  return length > 12 ? undefined : 2 ** length + bits.unsigned(length);
}

function scaled(
  quantised: Float64Array,
  window: WindowInfo,
  codebooks: readonly (readonly number[])[],
  factors: readonly (readonly number[])[],
): Float64Array {
  eachBand(window, (group, band, from, to) => {
    const codebook = codebooks[group]?.[band] ?? 0;
    const factor = factors[group]?.[band] ?? 0;
    if (codebook === NOISE_CODEBOOK) return fillWithNoise(quantised, from, to, 2 ** (factor / 4));
    const scale = 2 ** ((factor - 100) / 4);
    for (let at = from; at < to; at++) {
      const value = quantised[at] ?? 0;
      if (value !== 0) quantised[at] = Math.sign(value) * Math.abs(value) ** (4 / 3) * scale;
    }
  });
  return quantised;
}

/** Noise is not sent but its energy: any will do. */
function fillWithNoise(spectrum: Float64Array, from: number, to: number, amplitude: number): void {
  let energy = 0;
  let seed = from + 1;
  for (let at = from; at < to; at++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    const value = seed / 2 ** 31;
    spectrum[at] = value;
    energy += value * value;
  }
  const scale = amplitude / Math.sqrt(Math.max(1e-9, energy));
  for (let at = from; at < to; at++) spectrum[at] = (spectrum[at] ?? 0) * scale;
}
