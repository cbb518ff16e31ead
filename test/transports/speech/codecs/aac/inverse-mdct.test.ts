import t from 'tap';
import { inverseTransform } from '../../../../../transports/speech/codecs/aac/inverse-mdct.ts';

t.test('is the transform that the standard writes down', async (t) => {
  let worst = 0;
  for (const count of [8, 128]) {
    const coefficients = Float64Array.from({ length: count }, (_, index) => Math.sin(index * index + 1));
    const samples = inverseTransform(coefficients);
    for (let at = 0; at < 2 * count; at++) {
      // ISO/IEC 14496-3 §4.6.11.3.1, with N twice the number of coefficients.
      const phase = (Math.PI / count) * (at + (count + 1) / 2);
      const wanted = coefficients.reduce((sum, value, k) => sum + value * Math.cos(phase * (k + 0.5)), 0) / count;
      const found = samples[at] ?? 0;
      worst = Math.max(worst, Math.abs(found - wanted));
    }
  }
  t.ok(worst < 1e-12, `off by ${worst}`);
});
