/** Turns the spectra of one AAC channel into samples: inverse transform, windows, overlap (ISO/IEC 14496-3 §4.6.11). */
import { AAC_COEFFICIENTS, SHORT_SEQUENCE, type WindowInfo } from './aac-window.ts';
import { inverseTransform } from './inverse-mdct.ts';

export interface AacSynthesis {
  /** The next 1024 samples, full scale 1. */
  next(spectrum: Float64Array, window: WindowInfo): Float32Array;
}

const LONG = AAC_COEFFICIENTS;
const SHORT = 128;
/** What a long half window has on both sides of a short slope. */
const FLAT = (LONG - SHORT) / 2;

export function createAacSynthesis(): AacSynthesis {
  let overlap = new Float64Array(LONG);
  let previousShape = 0;
  return {
    next(spectrum, { sequence, shape }) {
      const whole = new Float64Array(2 * LONG);
      if (sequence === SHORT_SEQUENCE) {
        for (let index = 0; index < 8; index++) {
          const part = inverseTransform(spectrum.subarray(index * SHORT, (index + 1) * SHORT));
          const rising = slope(SHORT, index === 0 ? previousShape : shape);
          const falling = slope(SHORT, shape);
          const from = FLAT + index * SHORT;
          for (let at = 0; at < SHORT; at++) {
            whole[from + at] = (whole[from + at] ?? 0) + (part[at] ?? 0) * (rising[at] ?? 0);
            whole[from + SHORT + at] = (part[SHORT + at] ?? 0) * (falling[SHORT - 1 - at] ?? 0);
          }
        }
      } else {
        const part = inverseTransform(spectrum);
        const rising = half(sequence === 3, previousShape);
        const falling = half(sequence === 1, shape);
        for (let at = 0; at < LONG; at++) {
          whole[at] = (part[at] ?? 0) * (rising[at] ?? 0);
          whole[LONG + at] = (part[LONG + at] ?? 0) * (falling[LONG - 1 - at] ?? 0);
        }
      }
      const samples = new Float32Array(LONG);
      for (let at = 0; at < LONG; at++) {
        // What a damaged frame makes of itself is no louder than sound can be.
        samples[at] = Math.max(-1, Math.min(1, ((overlap[at] ?? 0) + (whole[at] ?? 0)) / 32_768));
      }
      overlap = whole.slice(LONG);
      previousShape = shape;
      return samples;
    },
  };
}

/** The rising half of a long window; read backwards it is the falling one. */
function half(isShortSloped: boolean, shape: number): Float64Array {
  if (!isShortSloped) return slope(LONG, shape);
  const window = new Float64Array(LONG).fill(1, FLAT + SHORT);
  window.set(slope(SHORT, shape), FLAT);
  return window;
}

const slopes = new Map<string, Float64Array>();

function slope(length: number, shape: number): Float64Array {
  const key = `${length} ${shape}`;
  const known =
    slopes.get(key) ?? (shape === 0 ? sineSlope(length) : kaiserBesselSlope(length, length === LONG ? 4 : 6));
  slopes.set(key, known);
  return known;
}

const sineSlope = (length: number): Float64Array =>
  Float64Array.from({ length }, (_, at) => Math.sin((Math.PI * (at + 0.5)) / (2 * length)));

function kaiserBesselSlope(length: number, alpha: number): Float64Array {
  const kernel = Float64Array.from({ length: length + 1 }, (_, at) => {
    const x = (2 * at) / length - 1;
    return bessel0(Math.PI * alpha * Math.sqrt(1 - x * x));
  });
  const total = kernel.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  return Float64Array.from({ length }, (_, at) => Math.sqrt((sum += kernel[at] ?? 0) / total));
}

/** Modified Bessel function of order zero, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-15; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
