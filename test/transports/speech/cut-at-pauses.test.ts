import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { cutAtPauses } from '../../../transports/speech/cut-at-pauses.ts';

const rate = 1000;

/** Alternating seconds of sound and of pause. */
function speech(...lengths: readonly number[]): Float32Array {
  const samples: number[] = [];
  for (const [index, seconds] of lengths.entries()) {
    const level = index % 2 === 0 ? 0.3 : 0.0005;
    for (let at = 0; at < seconds * rate; at++) samples.push(at % 2 === 0 ? level : -level);
  }
  return Float32Array.from(samples);
}

t.test('leaves speech of up to half a minute whole', async (t) => {
  t.same(cutAtPauses(speech(30), rate), [{ start: 0, end: 30_000 }]);
  t.same(cutAtPauses(new Float32Array(0), rate), []);
});

t.test('cuts in the middle of a pause', async (t) => {
  const [first, second] = cutAtPauses(speech(22, 0.5, 20), rate);
  t.ok(first !== undefined && Math.abs(first.end - 22_250) <= 20, `cut at ${String(first?.end)}`);
  t.equal(second?.start, first?.end);
});

t.test('prefers the longer pause: sentences end there', async (t) => {
  const [first] = cutAtPauses(speech(15, 0.6, 10, 0.3, 20), rate);
  t.ok(first !== undefined && first.end > 15_000 && first.end < 15_600, `cut at ${String(first?.end)}`);
});

t.test('takes an early pause rather than none', async (t) => {
  const [first] = cutAtPauses(speech(4, 0.4, 60), rate);
  t.ok(first !== undefined && first.end > 4000 && first.end < 4400, `cut at ${String(first?.end)}`);
});

t.test('takes no dip for a pause that is shorter than a stop consonant', async (t) => {
  const [first] = cutAtPauses(speech(20, 0.1, 4, 0.4, 20), rate);
  t.ok(first !== undefined && first.end > 24_100, `cut at ${String(first?.end)}`);
});

t.test('covers any recording without gap, in pieces that the model can take', async () => {
  const lengths = fc.array(fc.double({ min: 0, max: 40, noNaN: true }), { maxLength: 8 });
  fc.assert(
    fc.property(lengths, (seconds) => {
      const samples = speech(...seconds);
      const pieces = cutAtPauses(samples, rate);
      let at = 0;
      for (const { start, end } of pieces) {
        assert.equal(start, at);
        assert.ok(end > start && end - start <= 30_000);
        at = end;
      }
      assert.equal(at, samples.length);
    }),
    { numRuns: 60 },
  );
});
