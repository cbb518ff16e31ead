import assert from 'node:assert/strict';
import t from 'tap';
import fc from 'fast-check';
import { createAudioHeaderReader, type AudioHeader, type AudioLength } from '../../../actors/relay/audio-header.ts';
import { flacHeader, riffChunk, wavFile } from '../../fixtures/audio-bytes.ts';

function read(
  file: Uint8Array,
  cuts: readonly number[] = [],
): { length: AudioLength; header: AudioHeader | undefined } {
  const reader = createAudioHeaderReader();
  const edges = [0, ...cuts.map((cut) => cut % (file.length + 1)).sort((a, b) => a - b), file.length];
  for (let index = 1; index < edges.length; index++) reader.push(file.subarray(edges[index - 1], edges[index]));
  return { header: reader.header(), length: reader.end(file.length) };
}

const cutsOf = fc.array(fc.nat(), { maxLength: 40 });
const wavShape = fc.record({
  sampleRate: fc.integer({ min: 1, max: 384_000 }),
  channels: fc.integer({ min: 1, max: 8 }),
  bitsPerSample: fc.constantFrom(8, 16, 24, 32),
  extensible: fc.boolean(),
  between: fc.array(
    fc.uint8Array({ maxLength: 300 }).map((body) => riffChunk('LIST', body)),
    { maxLength: 3 },
  ),
});

t.test('tells the length of a WAV file however its bytes are cut', async () => {
  fc.assert(
    fc.property(wavShape, fc.nat({ max: 500 }), cutsOf, (shape, frames, cuts) => {
      const data = new Uint8Array((frames * shape.channels * shape.bitsPerSample) / 8);
      const { header, length } = read(wavFile(shape, data), cuts);
      assert.equal(header?.sampleRate, shape.sampleRate);
      assert.equal(header.channels, shape.channels);
      assert.ok(Math.abs(length.audioSeconds - frames / shape.sampleRate) < 1e-9);
    }),
    { numRuns: 150 },
  );
});

t.test('takes the end of the file where a WAV writer left the size open', async (t) => {
  const data = new Uint8Array(32_000);
  for (const claimedDataBytes of [0, 0xffffffff]) {
    const shape = { sampleRate: 16_000, channels: 1, bitsPerSample: 16, claimedDataBytes };
    const { header, length } = read(wavFile(shape, data), [3, 20, 41]);
    t.equal(header?.durationSeconds, undefined);
    t.same(length, { audioSeconds: 1, source: 'header' });
  }
});

t.test('counts what arrived when a WAV file is shorter than it claims', async (t) => {
  const shape = { sampleRate: 8000, channels: 2, bitsPerSample: 16, claimedDataBytes: 3_200_000 };
  t.same(read(wavFile(shape, new Uint8Array(16_000))).length, { audioSeconds: 0.5, source: 'header' });
});

t.test('does not count chunks that follow the samples', async (t) => {
  const file = wavFile({ sampleRate: 8000, channels: 1, bitsPerSample: 8 }, new Uint8Array(8000));
  const tagged = Buffer.concat([file, riffChunk('id3 ', new Uint8Array(5000))]);
  t.same(read(tagged).length, { audioSeconds: 1, source: 'header' });
});

t.test('tells the length of a FLAC file however its bytes are cut', async () => {
  const samples = fc.integer({ min: 1, max: 2 ** 36 - 1 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 655_350 }),
      fc.integer({ min: 1, max: 8 }),
      samples,
      cutsOf,
      (rate, channels, total, cuts) => {
        const file = Buffer.concat([flacHeader(rate, channels, total), Buffer.alloc(200)]);
        const { header, length } = read(file, cuts);
        assert.deepEqual(header, { container: 'flac', sampleRate: rate, channels, durationSeconds: total / rate });
        assert.equal(length.audioSeconds, total / rate);
      },
    ),
    { numRuns: 150 },
  );
});

t.test('steps over an ID3 tag in front of a FLAC file', async (t) => {
  const tag = Buffer.concat([Buffer.from('ID3\x04\x00\x00\x00\x00\x01\x02', 'latin1'), Buffer.alloc(130)]);
  const file = Buffer.concat([tag, flacHeader(44_100, 2, 441_000)]);
  t.same(read(file, [5, 50, 145]).length, { audioSeconds: 10, source: 'header', isClaim: true });
});

t.test('says none when a FLAC stream does not know its length', async (t) => {
  const { header, length } = read(flacHeader(48_000, 1, 0));
  t.equal(header?.sampleRate, 48_000);
  t.same(length, { audioSeconds: 0, source: 'none' });
});

t.test('wants no more bytes once it has what it needs, or knows that it never will', async (t) => {
  t.equal(createAudioHeaderReader().push(flacHeader(16_000, 1, 16_000)), false);
  t.equal(createAudioHeaderReader().push(Buffer.from('OggS and so on')), false);
  t.equal(createAudioHeaderReader().push(Buffer.from('RIFF\0\0\0\0AVI LIST')), false);
  t.equal(createAudioHeaderReader().push(Buffer.from('fLa')), true);
});

t.test('survives any bytes at all and never reports a length that is no number', async () => {
  const mutatedWav = fc
    .tuple(fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 })), { maxLength: 12 }), cutsOf)
    .map(([edits, cuts]) => {
      const file = wavFile(
        { sampleRate: 16_000, channels: 1, bitsPerSample: 16, extensible: true },
        new Uint8Array(90),
      );
      for (const [at, value] of edits) file[at] = value;
      return { file, cuts };
    });
  const anything = fc.tuple(fc.uint8Array({ maxLength: 200 }), cutsOf).map(([file, cuts]) => ({ file, cuts }));
  fc.assert(
    fc.property(fc.oneof(mutatedWav, anything), ({ file, cuts }) => {
      const { length } = read(file, cuts);
      assert.ok(Number.isFinite(length.audioSeconds) && length.audioSeconds >= 0);
      assert.deepEqual(length, read(file).length);
    }),
    { numRuns: 400 },
  );
});
