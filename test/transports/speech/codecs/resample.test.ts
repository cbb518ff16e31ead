import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { createResampler } from '../../../../transports/speech/codecs/resample.ts';

function tone(rate: number, hertz: number, seconds: number): Float32Array {
  return Float32Array.from({ length: rate * seconds }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / rate));
}

function resampled(
  samples: Float32Array,
  from: number,
  to: number,
  blocks: readonly number[] = [samples.length],
): number[] {
  const resampler = createResampler(from, to);
  const output: number[] = [];
  let at = 0;
  for (const size of [...blocks, samples.length]) {
    output.push(...resampler.push(samples.subarray(at, at + size)));
    at = Math.min(samples.length, at + size);
  }
  output.push(...resampler.end());
  return output;
}

/** Both in dB relative to a full-scale tone; the ends, where the recording meets silence, are left out. */
function compare(output: readonly number[], expected: (index: number) => number): { error: number; level: number } {
  const inner = output.slice(400, -400);
  const mean = (square: (value: number, index: number) => number) =>
    10 * Math.log10(inner.reduce((sum, value, index) => sum + square(value, index), 1e-12) / inner.length / 0.5);
  return { error: mean((value, index) => (value - expected(index + 400)) ** 2), level: mean((value) => value ** 2) };
}

t.test('keeps a tone as it is, at every usual rate and at unusual ones', async (t) => {
  for (const rate of [8000, 11_025, 11_127, 15_999, 22_050, 32_000, 44_100, 48_000, 96_000, 383_999]) {
    const output = resampled(tone(rate, 1500, 0.5), rate, 16_000);
    t.equal(output.length, Math.ceil(Math.floor(rate * 0.5) * (16_000 / rate)), `${rate} Hz keeps its duration`);
    const { error } = compare(output, (index) => Math.sin((2 * Math.PI * 1500 * index) / 16_000));
    t.ok(error < -70, `${rate} Hz: error ${error.toFixed(1)} dB`);
  }
});

t.test('silences what the lower rate cannot hold, instead of folding it into speech', async (t) => {
  for (const [rate, hertz] of [
    [44_100, 9000],
    [48_000, 12_000],
    [22_050, 8800],
  ] as const) {
    const { level } = compare(resampled(tone(rate, hertz, 0.5), rate, 16_000), () => 0);
    t.ok(level < -60, `${hertz} Hz at ${rate}: ${level.toFixed(1)} dB`);
  }
});

t.test('gives the same output however the input is cut', async () => {
  const input = tone(44_100, 440, 0.1);
  const whole = resampled(input, 44_100, 16_000);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 12 }), (blocks) => {
      assert.deepEqual(resampled(input, 44_100, 16_000, blocks), whole);
    }),
    { numRuns: 40 },
  );
});
