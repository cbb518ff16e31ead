/** Single frames and packets, by their bits; whole recordings are in `audio-length.test.ts`. */
import t from 'tap';
import { estimateAudioSeconds } from '../../../actors/audio/audio-estimate.ts';
import { mpegFrameAt } from '../../../actors/audio/formats/mpeg.ts';
import { opusPacketSeconds } from '../../../actors/audio/formats/opus.ts';

/** RFC 6716 §3.1, table 2: milliseconds of a frame by configuration. */
const opusMs = [
  ...[10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60],
  ...[10, 20, 10, 20],
  ...[2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20],
];

t.test('an Opus packet sounds as long as RFC 6716 says, and never longer than 120 ms', async (t) => {
  for (const [config, ms] of opusMs.entries()) {
    const of = (code: number, count: number) => opusPacketSeconds((config << 3) | code, count);
    const seconds = (frames: number) => Math.min(0.12, (frames * ms) / 1000);
    t.strictSame([of(0, 63), of(1, 63), of(2, 63)], [seconds(1), seconds(2), seconds(2)], `configuration ${config}`);
    t.strictSame(
      [of(3, 3), of(3, 0xc0 | 2), of(3, 0)],
      [seconds(3), seconds(2), 0],
      `configuration ${config}, counted`,
    );
  }
});

const mpeg = (version: number, layer: number, bitrateIndex: number, rateIndex: number, padding = 0) => {
  const versionBits = { 1: 3, 2: 2, 2.5: 0 }[version] ?? 1;
  const head = Buffer.alloc(6);
  head.writeUInt32BE(
    (0xffe00000 |
      (versionBits << 19) |
      ((4 - layer) << 17) |
      (bitrateIndex << 12) |
      (rateIndex << 10) |
      (padding << 9)) >>>
      0,
  );
  return mpegFrameAt(head, 0);
};

/** ISO 11172-3 and 13818-3: bytes, samples and rate of frames of each version and layer. */
const mpegFrames: readonly (readonly [string, ReturnType<typeof mpeg>, number, number, number])[] = [
  ['MPEG 1 layer III, 128 kbit/s at 44.1 kHz', mpeg(1, 3, 9, 0), 417, 1152, 44_100],
  ['the same, padded', mpeg(1, 3, 9, 0, 1), 418, 1152, 44_100],
  ['MPEG 1 layer III, 320 kbit/s at 48 kHz', mpeg(1, 3, 14, 1), 960, 1152, 48_000],
  ['MPEG 1 layer III, 32 kbit/s at 32 kHz', mpeg(1, 3, 1, 2), 144, 1152, 32_000],
  ['MPEG 1 layer II, 384 kbit/s at 48 kHz', mpeg(1, 2, 14, 1), 1152, 1152, 48_000],
  ['MPEG 1 layer II, 48 kbit/s at 44.1 kHz', mpeg(1, 2, 2, 0), 156, 1152, 44_100],
  ['MPEG 1 layer I, 448 kbit/s at 48 kHz', mpeg(1, 1, 14, 1), 448, 384, 48_000],
  ['MPEG 1 layer I, 32 kbit/s at 44.1 kHz, padded', mpeg(1, 1, 1, 0, 1), 36, 384, 44_100],
  ['MPEG 2 layer III, 64 kbit/s at 22.05 kHz', mpeg(2, 3, 8, 0), 208, 576, 22_050],
  ['MPEG 2 layer II, 160 kbit/s at 24 kHz', mpeg(2, 2, 14, 1), 960, 1152, 24_000],
  ['MPEG 2 layer I, 256 kbit/s at 16 kHz', mpeg(2, 1, 14, 2), 768, 384, 16_000],
  ['MPEG 2.5 layer III, 8 kbit/s at 8 kHz', mpeg(2.5, 3, 1, 2), 72, 576, 8_000],
];
for (const [name, frame, bytes, samples, rate] of mpegFrames) {
  t.test(`a frame of ${name} has ${bytes} bytes`, async (t) => {
    t.match(frame, { bytes, samples, seconds: samples / rate });
  });
}

t.test('what the standards forbid is no frame', async (t) => {
  t.equal(mpeg(3, 3, 9, 0), undefined, 'a version that there is not');
  t.equal(mpeg(1, 3, 0, 0), undefined, 'a free bit rate');
  t.equal(mpeg(1, 3, 15, 0), undefined, 'a forbidden bit rate');
  t.equal(mpeg(1, 3, 9, 3), undefined, 'a forbidden sample rate');
  t.equal(mpegFrameAt(Buffer.from([0xff, 0xdf, 0x90, 0, 0, 0]), 0), undefined, 'a broken syncword');
});

const adts = (rateIndex: number, bytes: number, mpegBit = 1) =>
  mpegFrameAt(
    Buffer.from([
      0xff,
      0xe0 | (mpegBit << 4) | 1,
      (1 << 6) | (rateIndex << 2),
      (bytes >>> 11) & 3,
      (bytes >>> 3) & 0xff,
      (bytes & 7) << 5,
    ]),
    0,
  );
t.test('a frame of AAC in ADTS is 1024 samples of its rate, and says its bytes', async (t) => {
  const rates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
  for (const [index, rate] of rates.entries()) {
    t.match(adts(index, 371), { bytes: 371, samples: 1024, seconds: 1024 / rate }, String(rate));
  }
  for (const bytes of [8, 2047, 2048, 8191]) t.match(adts(4, bytes), { bytes });
  t.equal(adts(4, 7), undefined, 'shorter than its header');
  t.equal(adts(13, 371), undefined, 'a rate that there is not');
  t.equal(adts(4, 371, 0), undefined, 'layer 0 of MPEG 2.5');
});

t.test('what cannot be read is guessed by its first bytes', async (t) => {
  const guesses: Readonly<Record<string, number>> = {
    '494433': 16_000,
    fffb: 16_000,
    fff3: 8_000,
    '4f676753': 4_000,
    '1a45dfa3': 4_000,
    '664c6143': 16_000,
    '0000001866747970': 12_000,
    '0000001866747971': 16_000,
    '00': 16_000,
  };
  for (const [hex, bytesPerSecond] of Object.entries(guesses)) {
    t.equal(estimateAudioSeconds(Buffer.from(hex, 'hex'), 48_000), 48_000 / bytesPerSecond, hex);
  }
});
