/** Streams of MPEG frames; the frames alone are in `frames.test.ts`. */
import t from 'tap';
import { mpegLength } from '../../../actors/audio/mpeg-length.ts';
import { secondsRead } from '../../fixtures/audio-bytes.ts';

/** MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes, 1,152 samples. */
const frame = (...fields: (readonly [at: number, value: string | readonly number[]])[]) => {
  const bytes = Buffer.alloc(417);
  bytes.set([0xff, 0xfb, 0x90, 0x00]);
  for (const [at, value] of fields) bytes.set(typeof value === 'string' ? Buffer.from(value) : value, at);
  return bytes;
};
const samples = (...parts: Uint8Array[]) =>
  Math.round(secondsRead(mpegLength(new Uint8Array(0)), Buffer.concat(parts)) * 44_100 * 1e3) / 1e3;
const plain = frame();

t.test('a frame counts once another follows it, and the last one with it', async (t) => {
  t.equal(samples(plain), 0, 'one alone may be none');
  t.equal(samples(plain, plain), 2 * 1_152);
  t.equal(samples(plain, plain, plain), 3 * 1_152);
  t.equal(secondsRead(mpegLength(plain.subarray(0, 8)), Buffer.concat([plain.subarray(8), plain])), 2_304 / 44_100);
});

t.test('frames are found behind what is none', async (t) => {
  const noise = Buffer.from([1, 2, 3, 0xff, 0xff, 7, 0xff, 0xfb, 0xf0, 9]);
  t.equal(samples(noise, plain, plain), 2 * 1_152);
  t.equal(samples(plain, plain, noise, plain, plain), 3 * 1_152, 'the one before it may be none');
  const other = Buffer.alloc(384);
  other.set([0xff, 0xfb, 0x94, 0x00]);
  t.equal(samples(plain, other, plain, plain), 2 * 1_152, 'frames of another rate belong to another stream');
});

t.test('a first frame that holds a table is no sound', async (t) => {
  for (const name of ['Xing', 'Info', 'VBRI']) {
    t.equal(samples(frame([36, name]), plain, plain), 2 * 1_152, name);
    t.equal(samples(plain, frame([36, name]), plain), 3 * 1_152, `${name} later on is sound`);
  }
  t.equal(samples(frame([43, 'Xing']), plain, plain), 3 * 1_152, 'a name too far in');
});

t.test('what the encoder put around the sound is left out, as far as encoders go', async (t) => {
  // Behind the name at 36: 576 samples before, 1,000 behind.
  const gaps = (before: number, behind: number) =>
    frame([36, 'Info'], [36 + 141, [before >> 4, ((before & 15) << 4) | (behind >> 8), behind & 255]]);
  t.equal(samples(gaps(576, 1_000), plain, plain, plain), 3 * 1_152 - 1_576);
  t.equal(samples(gaps(3_000, 500), ...Array.from({ length: 5 }, () => plain)), 5 * 1_152 - 3_500);
  t.equal(samples(gaps(3_000, 501), ...Array.from({ length: 5 }, () => plain)), 5 * 1_152, 'too much');
});
