/** AAC's temporal noise shaping (ISO/IEC 14496-3 §4.6.9): filters over the coefficients of a window. */
import type { WindowInfo } from './aac-window.ts';
import type { BitReader } from '../bit-reader.ts';

interface Filter {
  /** Bands that it reaches down from the one before. */
  readonly bands: number;
  readonly isDownward: boolean;
  readonly reflections: readonly number[];
}

/** The filters of each window. */
export type NoiseShaping = readonly (readonly Filter[])[];

export function readNoiseShaping(bits: BitReader, isShort: boolean): NoiseShaping {
  return Array.from({ length: isShort ? 8 : 1 }, () => {
    const count = bits.unsigned(isShort ? 1 : 2);
    const resolution = count > 0 ? bits.unsigned(1) + 3 : 3;
    return Array.from({ length: count }, () => {
      const bands = bits.unsigned(isShort ? 4 : 6);
      const order = bits.unsigned(isShort ? 3 : 5);
      const isDownward = order > 0 && bits.unsigned(1) === 1;
      const width = resolution - (order > 0 ? bits.unsigned(1) : 0);
      const reflections = Array.from({ length: order }, () => reflection(bits.signed(width), resolution));
      return { bands, isDownward, reflections };
    });
  });
}

function reflection(value: number, resolution: number): number {
  const steps = 2 ** (resolution - 1) + (value >= 0 ? -0.5 : 0.5);
  return Math.sin((value * Math.PI) / 2 / steps);
}

/** Undoes in place what the encoder's filters did. */
export function unshape(spectrum: Float64Array, window: WindowInfo, shaping: NoiseShaping): void {
  const lastBand = Math.min(window.shapedBands, window.bandCount);
  const startOf = (band: number): number => window.starts[Math.min(band, lastBand)] ?? 0;
  for (const [index, filters] of shaping.entries()) {
    let top = window.starts.length - 1;
    for (const { bands, isDownward, reflections } of filters) {
      const bottom = Math.max(0, top - bands);
      const [from, to] = [index * 128 + startOf(bottom), index * 128 + startOf(top)];
      top = bottom;
      if (reflections.length === 0 || to <= from) continue;
      filter(spectrum, isDownward ? to - 1 : from, isDownward ? -1 : 1, to - from, coefficientsOf(reflections));
    }
  }
}

/** Reflection coefficients to those of the filter itself, by Levinson's recursion. */
function coefficientsOf(reflections: readonly number[]): number[] {
  let coefficients: number[] = [];
  for (const reflected of reflections) {
    const last = coefficients.length - 1;
    coefficients = [
      ...coefficients.map((value, index) => value + reflected * (coefficients[last - index] ?? 0)),
      reflected,
    ];
  }
  return coefficients;
}

function filter(
  spectrum: Float64Array,
  start: number,
  step: number,
  count: number,
  coefficients: readonly number[],
): void {
  for (let done = 0, at = start; done < count; done++, at += step) {
    let value = spectrum[at] ?? 0;
    for (let back = 1; back <= Math.min(done, coefficients.length); back++) {
      value -= (coefficients[back - 1] ?? 0) * (spectrum[at - back * step] ?? 0);
    }
    spectrum[at] = value;
  }
}
