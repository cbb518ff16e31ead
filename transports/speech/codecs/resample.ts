/** Changes the sample rate of one channel, block by block, with a windowed-sinc filter that keeps aliases below hearing. */

export interface Resampler {
  /** The output that these samples complete. */
  push(samples: Float32Array): Float32Array;
  /** What the end of the recording completes. Call once. */
  end(): Float32Array;
}

/** Zero crossings of the sinc on each side: about 80 dB of stopband with this window. */
const ZERO_CROSSINGS = 24;
const KAISER_BETA = 8;
/** Where the filter is 6 dB down, as a part of the lower Nyquist frequency: its slope ends where aliases would begin. */
const ROLLOFF = 0.92;
/** Kernel values per zero crossing; between them the kernel is interpolated, with an error near -100 dB. */
const STEPS_PER_CROSSING = 512;
/** Filters kept per rate: all that the usual rates need (44 100 Hz: 160). Odd rates compute theirs as they go. */
const MOST_KEPT_FILTERS = 1280;
let kernelTable: Float32Array | undefined;

/** A resampler from `fromRate` to `toRate`, both whole Hz. Output lines up with input: no delay, same duration. */
export function createResampler(fromRate: number, toRate: number): Resampler {
  if (fromRate === toRate) return { push: (samples) => samples, end: () => new Float32Array(0) };
  const kernel = (kernelTable ??= sampledKernel());
  // Going down, the filter is stretched so that it cuts at the output's Nyquist frequency.
  const cutoff = Math.min(1, toRate / fromRate) * ROLLOFF;
  const reach = Math.ceil(ZERO_CROSSINGS / cutoff);
  const taps = 2 * reach;
  const divisor = greatestCommonDivisor(fromRate, toRate);
  // Output n lies at input n * stride / phases.
  const phases = toRate / divisor;
  const stride = fromRate / divisor;
  const kept: (Float32Array | undefined)[] = [];
  let history = new Float32Array(reach);
  /** Input index of history[0]; the recording is preceded by silence. */
  let historyStart = -reach;
  let produced = 0;
  let received = 0;

  /** The filter for an output that lies `phase / phases` of a sample after an input sample. */
  function filterFor(phase: number): Float32Array {
    const known = kept[phase];
    if (known !== undefined) return known;
    const filter = new Float32Array(taps);
    for (let tap = 0; tap < taps; tap++) {
      const place = Math.abs(phase / phases + reach - 1 - tap) * cutoff * STEPS_PER_CROSSING;
      const whole = Math.floor(place);
      const low = kernel[whole] ?? 0;
      filter[tap] = cutoff * (low + ((kernel[whole + 1] ?? 0) - low) * (place - whole));
    }
    if (phases <= MOST_KEPT_FILTERS) kept[phase] = filter;
    return filter;
  }

  function outputUpTo(inputEnd: number, outputEnd: number): Float32Array {
    const ready = Math.max(0, Math.ceil(((inputEnd - reach) * phases) / stride));
    const count = Math.max(0, Math.min(ready, outputEnd) - produced);
    const output = new Float32Array(count);
    for (let index = 0; index < count; index++) {
      const position = (produced + index) * stride;
      const filter = filterFor(position % phases);
      const first = Math.floor(position / phases) - reach + 1 - historyStart;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += (history[first + tap] ?? 0) * (filter[tap] ?? 0);
      output[index] = sum;
    }
    produced += count;
    return output;
  }

  function accept(samples: Float32Array): void {
    const neededFrom = Math.max(historyStart, Math.floor((produced * stride) / phases) - reach + 1);
    const old = history.subarray(neededFrom - historyStart);
    const next = new Float32Array(old.length + samples.length);
    next.set(old);
    next.set(samples, old.length);
    history = next;
    historyStart = neededFrom;
  }

  return {
    push(samples) {
      accept(samples);
      received += samples.length;
      return outputUpTo(received, Infinity);
    },
    end() {
      accept(new Float32Array(taps));
      return outputUpTo(received + taps, Math.ceil((received * phases) / stride));
    },
  };
}

function sampledKernel(): Float32Array {
  const table = new Float32Array(ZERO_CROSSINGS * STEPS_PER_CROSSING + 2);
  const scale = bessel0(KAISER_BETA);
  for (let index = 0; index <= ZERO_CROSSINGS * STEPS_PER_CROSSING; index++) {
    const x = index / STEPS_PER_CROSSING;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    table[index] = (sinc * bessel0(KAISER_BETA * Math.sqrt(Math.max(0, 1 - (x / ZERO_CROSSINGS) ** 2)))) / scale;
  }
  return table;
}

/** Modified Bessel function of order zero, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
