import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { createAudioLengthReader } from '../../../actors/audio/audio-length.ts';
import { VelloError } from '../../../config/errors.ts';
import { flacHeader, riffChunk, wavFile, type WavShape } from '../../fixtures/audio-bytes.ts';
import { decodeAudio } from '../../../transports/speech/decode-audio.ts';
import { decodeWhole as decode, type DecodedWhole } from '../../fixtures/decode-whole.ts';
import { verbatimFlac } from '../../fixtures/verbatim-flac.ts';
import { recording, recordings } from '../../fixtures/recordings.ts';

/** Half a second that rises evenly from -0.5 to 0.5. */
const ramp = Array.from({ length: 8000 }, (_, index) => index / 8000 - 0.5);

function encoded(values: readonly number[], shape: Pick<WavShape, 'bitsPerSample' | 'kind' | 'channels'>): Buffer {
  const bytes = shape.bitsPerSample / 8;
  const data = Buffer.alloc(values.length * bytes * shape.channels);
  for (const [frame, value] of values.entries()) {
    for (let channel = 0; channel < shape.channels; channel++) {
      const at = (frame * shape.channels + channel) * bytes;
      if (shape.kind === 'float') {
        if (bytes === 4) data.writeFloatLE(value, at);
        else data.writeDoubleLE(value, at);
      } else if (bytes === 1) data.writeUInt8(Math.round(value * 127) + 128, at);
      else data.writeIntLE(Math.round(value * (2 ** (8 * bytes - 1) - 1)), at, bytes);
    }
  }
  return data;
}

t.test('reads every way in which WAV stores samples', async (t) => {
  const kinds = [8, 16, 24, 32].map((bitsPerSample) => ({ bitsPerSample, kind: 'integer' as const }));
  const floats = [32, 64].map((bitsPerSample) => ({ bitsPerSample, kind: 'float' as const }));
  for (const kind of [...kinds, ...floats]) {
    for (const extensible of [false, true]) {
      for (const channels of [1, 2, 5]) {
        const shape = { ...kind, extensible, channels, sampleRate: 16_000 };
        const { samples, seconds } = await decode(wavFile(shape, encoded(ramp, shape)));
        const worst = Math.max(...samples.map((sample, index) => Math.abs(sample - (ramp[index] ?? 0))));
        t.ok(worst < (kind.bitsPerSample === 8 ? 0.01 : 0.0001), `${JSON.stringify(shape)}: off by ${worst}`);
        t.equal(seconds, 0.5);
      }
    }
  }
});

t.test('mixes channels to their mean', async (t) => {
  const data = Buffer.alloc(8000 * 4);
  for (let frame = 0; frame < 8000; frame++) data.writeInt16LE(16_384, frame * 4);
  const { samples } = await decode(wavFile({ sampleRate: 16_000, channels: 2, bitsPerSample: 16 }, data));
  t.ok(samples.every((sample) => sample === 0.25));
});

t.test('finds the samples behind other chunks, and reads to the end where the size was left open', async (t) => {
  const shape = { sampleRate: 16_000, channels: 1, bitsPerSample: 16 };
  const data = encoded(ramp, shape);
  const between = [riffChunk('LIST', Buffer.from('odd')), riffChunk('fact', Buffer.alloc(4))];
  t.equal((await decode(wavFile({ ...shape, between }, data))).seconds, 0.5);
  for (const claimedDataBytes of [0, 0xffffffff]) {
    t.equal((await decode(wavFile({ ...shape, claimedDataBytes }, data))).seconds, 0.5);
  }
});

t.test('decodes the recordings to their known length, as the gateway measures it', async (t) => {
  for (const { file, seconds } of recordings) {
    const { bytes } = recording(file);
    const reader = createAudioLengthReader();
    reader.push(bytes);
    const told = reader.length().audioSeconds;
    const decoded = await decode(bytes);
    t.ok(Math.abs(decoded.seconds - seconds) < 0.001, `${file}: ${decoded.seconds} s`);
    t.ok(Math.abs(decoded.seconds - told) < 0.001, `${file}: the gateway measures ${told} s`);
  }
});

t.test('decodes a FLAC file that breaks off up to where it breaks', async (t) => {
  const { bytes, seconds } = recording('garden-16k.flac');
  const decoded = await decode(bytes.subarray(0, bytes.length / 2));
  t.ok(decoded.seconds > seconds / 3 && decoded.seconds < seconds, `${decoded.seconds} s`);
});

t.test('loses one frame to one flipped bit, goes on at the next, and says how much was lost', async (t) => {
  const { bytes, seconds } = recording('garden-16k.flac');
  const damaged = Buffer.from(bytes);
  damaged[20_000] = (damaged[20_000] ?? 0) ^ 0x10;
  const { seconds: heard, lostSeconds } = await decode(damaged);
  t.ok(heard > seconds - 0.5 && heard < seconds, `${heard} of ${seconds} s`);
  t.ok(Math.abs(heard + lostSeconds - seconds) < 0.001, `${lostSeconds} s lost`);
});

t.test('hears the last frame in front of an ID3v1 tag, and the first behind two ID3v2 tags', async (t) => {
  const { bytes, seconds } = recording('garden-16k.flac');
  const before = Buffer.from('ID3\x04\0\0\0\0\0\x02ab', 'latin1');
  const tagged = Buffer.concat([before, before, bytes, Buffer.concat([Buffer.from('TAG'), Buffer.alloc(125)])]);
  const decoded = await decode(tagged);
  t.ok(Math.abs(decoded.seconds - seconds) < 0.001, `${decoded.seconds} s`);
  t.equal(decoded.lostSeconds, 0);
});

t.test('hears all of a FLAC stream of variable block size, and of 15 bits', async (t) => {
  for (const shape of [
    { bitsPerSample: 16, blockSizes: [1000, 37, 4000, 1, 2962], isVariable: true },
    { bitsPerSample: 15, blockSizes: [4000, 4000], isVariable: false },
  ]) {
    const { samples, lostSeconds } = await decode(verbatimFlac(ramp, shape));
    const worst = Math.max(...samples.map((sample, index) => Math.abs(sample - (ramp[index] ?? 0))));
    t.equal(samples.length, ramp.length);
    t.ok(worst < 0.0001, `off by ${worst}`);
    t.equal(lostSeconds, 0);
  }
});

t.test(
  'refuses a FLAC file that says two hours before an hour is decoded, and hears one that only claims them',
  async (t) => {
    const shape = { bitsPerSample: 16, blockSizes: [4000, 4000], isVariable: true };
    const claimed = { ...shape, claimedSamples: 2 * 3600 * 16_000 };
    const long = verbatimFlac(ramp, { ...claimed, firstSample: 2 * 3600 * 16_000 - 8000 });
    await t.rejects(decodeAudio(long, 3600).next(), { code: 'AUDIO_TOO_LONG' });
    t.equal((await decode(verbatimFlac(ramp, claimed), 3600)).seconds, 0.5);
  },
);

t.test('hears mp3 of any rate, behind tags or without', async (t) => {
  const plain = readFileSync(new URL('../../fixtures/speech/vbr-low.mp3', import.meta.url));
  const before = Buffer.from('ID3\x04\0\0\0\0\0\x02ab', 'latin1');
  for (const file of [plain, Buffer.concat([before, before, plain])]) {
    const { seconds, samples } = await decode(file);
    t.ok(Math.abs(seconds - 2.87) < 0.08, `${seconds} s`);
    t.ok(samples.some((sample) => Math.abs(sample) > 0.1));
  }
});

t.test('reads RF64 and BW64 up to the end of their samples', async (t) => {
  const shape = { sampleRate: 16_000, channels: 1, bitsPerSample: 16 };
  const data = encoded(ramp, shape);
  const sizes = Buffer.alloc(28);
  sizes.writeBigUInt64LE(BigInt(data.length), 8);
  const plain = wavFile({ ...shape, claimedDataBytes: 0xffffffff }, data);
  const after = riffChunk('LIST', Buffer.alloc(32_000));
  for (const id of ['RF64', 'BW64']) {
    const head = Buffer.from(`${id}\xff\xff\xff\xffWAVE`, 'latin1');
    const file = Buffer.concat([head, riffChunk('ds64', sizes), plain.subarray(12), after]);
    t.equal((await decode(file)).seconds, 0.5, id);
  }
});

t.test('refuses what is not audio, with a code and a reason', async (t) => {
  const shape = { sampleRate: 16_000, channels: 1, bitsPerSample: 16 };
  const second = new Uint8Array(32_000);
  const refusals: [string, Uint8Array, string][] = [
    ['nothing', new Uint8Array(0), 'AUDIO_NOT_RECOGNISED'],
    ['text', Buffer.from('Dear reader, this is a letter.'), 'AUDIO_NOT_RECOGNISED'],
    ['an Ogg page cut short', Buffer.from('OggS\0\x02'), 'AUDIO_NOT_RECOGNISED'],
    ['a video', Buffer.from('RIFF\0\0\0\0AVI LIST'), 'AUDIO_NOT_RECOGNISED'],
    ['WAV without samples', Buffer.from('RIFF\x04\0\0\0WAVE'), 'AUDIO_NOT_RECOGNISED'],
    ['WAV of no channels', wavFile({ ...shape, channels: 0 }, second), 'AUDIO_NOT_RECOGNISED'],
    ['WAV at 1 Hz', wavFile({ ...shape, sampleRate: 1 }, second), 'AUDIO_NOT_RECOGNISED'],
    ['WAV at 4 GHz', wavFile({ ...shape, sampleRate: 4_000_000_000 }, second), 'AUDIO_NOT_RECOGNISED'],
    ['FLAC without frames', flacHeader(16_000, 1, 160_000), 'AUDIO_NOT_RECOGNISED'],
    ['half a STREAMINFO', flacHeader(16_000, 1, 160_000).subarray(0, 20), 'AUDIO_NOT_RECOGNISED'],
    ['a blink', wavFile(shape, new Uint8Array(3000)), 'AUDIO_TOO_SHORT'],
    ['no samples at all', wavFile(shape, new Uint8Array(0)), 'AUDIO_TOO_SHORT'],
  ];
  for (const [name, file, code] of refusals) await t.rejects(decode(file), { code, status: 400 }, name);
  await t.rejects(decode(wavFile(shape, new Uint8Array(200_000)), 5), { code: 'AUDIO_TOO_LONG' });
});

t.test('never fails in another way, whatever the bytes', async () => {
  const flac = recording('garden-16k.flac').bytes.subarray(0, 30_000);
  const wav = wavFile(
    { sampleRate: 16_000, channels: 2, bitsPerSample: 24, extensible: true },
    Buffer.alloc(40_000, 7),
  );
  const edits = fc.array(fc.tuple(fc.nat({ max: 29_999 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 30 });
  const headEdits = fc.array(fc.tuple(fc.nat({ max: 90 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 10 });
  const damaged = fc
    .tuple(fc.constantFrom(flac, wav), fc.oneof(edits, headEdits), fc.option(fc.nat({ max: 30_000 })))
    .map(([original, changes, cut]) => {
      const file = Buffer.from(original);
      for (const [at, value] of changes) file[at] = value;
      return file.subarray(0, cut ?? file.length);
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged, fc.uint8Array({ maxLength: 400 })), async (file) => {
      const outcome = await decode(file, 600).catch((error: unknown) => error);
      if (outcome instanceof Error) assert.ok(outcome instanceof VelloError && outcome.status === 400, outcome.stack);
      else assert.ok((outcome as DecodedWhole).samples.every((sample) => Number.isFinite(sample)));
    }),
    { numRuns: 120 },
  );
});
