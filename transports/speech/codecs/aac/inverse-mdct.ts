/** The inverse modified discrete cosine transform, by a DCT-IV, by a complex Fourier transform of half its size. */

interface Plan {
  /** Complex factors before and behind the Fourier transform, real and imaginary part by turns. */
  readonly twist: Float64Array;
  readonly roots: Float64Array;
  readonly reversed: Uint16Array;
}

const plans = new Map<number, Plan>();

/** Twice as many samples as there are coefficients, whose number is a power of two; scaled as AAC has it. */
export function inverseTransform(coefficients: Float64Array): Float64Array {
  const count = coefficients.length;
  const cosines = dct4(coefficients);
  const samples = new Float64Array(2 * count);
  for (let at = 0; at < 2 * count; at++) {
    // The cosines of the transform go on behind the DCT's as its odd and even mirror images.
    const place = at + count / 2;
    if (place < count) samples[at] = (cosines[place] ?? 0) / count;
    else if (place < 2 * count) samples[at] = -(cosines[2 * count - 1 - place] ?? 0) / count;
    else samples[at] = -(cosines[place - 2 * count] ?? 0) / count;
  }
  return samples;
}

function dct4(input: Float64Array): Float64Array {
  const count = input.length;
  const half = count / 2;
  const plan = plans.get(count) ?? planOf(count);
  plans.set(count, plan);
  const { twist, reversed } = plan;
  const work = new Float64Array(count);
  for (let k = 0; k < half; k++) {
    const [re, im] = [input[2 * k] ?? 0, input[count - 1 - 2 * k] ?? 0];
    const [cos, sin] = [twist[2 * k] ?? 0, twist[2 * k + 1] ?? 0];
    const to = 2 * (reversed[k] ?? 0);
    work[to] = re * cos + im * sin;
    work[to + 1] = im * cos - re * sin;
  }
  fourier(work, plan.roots);
  const output = new Float64Array(count);
  for (let n = 0; n < half; n++) {
    const [re, im] = [work[2 * n] ?? 0, work[2 * n + 1] ?? 0];
    const [cos, sin] = [twist[2 * n] ?? 0, twist[2 * n + 1] ?? 0];
    output[2 * n] = re * cos + im * sin;
    output[count - 1 - 2 * n] = re * sin - im * cos;
  }
  return output;
}

function planOf(count: number): Plan {
  const half = count / 2;
  const twist = new Float64Array(count);
  const roots = new Float64Array(count);
  const bits = Math.log2(half);
  const reversed = new Uint16Array(half);
  for (let k = 0; k < half; k++) {
    const angle = (Math.PI * (k + 1 / 8)) / count;
    twist[2 * k] = Math.cos(angle);
    twist[2 * k + 1] = Math.sin(angle);
    roots[2 * k] = Math.cos((2 * Math.PI * k) / half);
    roots[2 * k + 1] = -Math.sin((2 * Math.PI * k) / half);
    for (let bit = 0; bit < bits; bit++) reversed[k] = (reversed[k] ?? 0) | (((k >> bit) & 1) << (bits - 1 - bit));
  }
  return { twist, roots, reversed };
}

/** In place, of complex numbers in bit-reversed order. */
function fourier(work: Float64Array, roots: Float64Array): void {
  const size = work.length / 2;
  for (let span = 1; span < size; span *= 2) {
    const step = size / (2 * span);
    for (let first = 0; first < size; first += 2 * span) {
      for (let k = 0; k < span; k++) {
        const [cos, sin] = [roots[2 * k * step] ?? 0, roots[2 * k * step + 1] ?? 0];
        const [low, high] = [2 * (first + k), 2 * (first + k + span)];
        const [a, b] = [work[high] ?? 0, work[high + 1] ?? 0];
        const [re, im] = [a * cos - b * sin, a * sin + b * cos];
        const [c, d] = [work[low] ?? 0, work[low + 1] ?? 0];
        work[low] = c + re;
        work[low + 1] = d + im;
        work[high] = c - re;
        work[high + 1] = d - im;
      }
    }
  }
}
