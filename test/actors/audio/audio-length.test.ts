import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { createAudioLengthReader, LEAST_BYTES_PER_SECOND } from '../../../actors/audio/audio-length.ts';
import { flacHeader, riffChunk, wavFile } from '../../fixtures/audio-bytes.ts';
import { projectFolder } from '../../fixtures/source-files.ts';

const folder = join(projectFolder, 'test', 'fixtures', 'audio');
const files = readdirSync(folder).filter((name) => !name.endsWith('.md'));
const bytesOf = (name: string) => readFileSync(join(folder, name));

function lengthOf(file: Uint8Array, cuts: readonly number[] = []) {
  const reader = createAudioLengthReader();
  const edges = [0, ...cuts.map((cut) => cut % (file.length + 1)).sort((a, b) => a - b), file.length];
  for (let index = 1; index < edges.length; index++) reader.push(file.subarray(edges[index - 1], edges[index]));
  return reader.length();
}
const secondsOf = (file: Uint8Array) => lengthOf(file).audioSeconds;
const every = (size: number, length: number) =>
  Array.from({ length: Math.floor(length / size) }, (_, i) => (i + 1) * size);

t.test('five seconds are five seconds in every container and codec, however they are cut', async (t) => {
  t.ok(files.length >= 16);
  for (const name of files) {
    const file = bytesOf(name);
    const whole = lengthOf(file);
    t.equal(whole.source, 'header', name);
    // The file itself may be longer by what its codec adds; a frame of AAC or MPEG is a fiftieth of these five seconds.
    t.ok(Math.abs(whole.audioSeconds - 5) <= 0.125, `${name}: ${whole.audioSeconds} s`);
    for (const size of [1, 97, 4_096]) t.same(lengthOf(file, every(size, file.length)), whole, name);
  }
});

t.test('of a file that was cut in half, what is there is counted', async (t) => {
  for (const name of files.filter((each) => each !== 'moov-last.m4a')) {
    const file = bytesOf(name);
    const seconds = secondsOf(file.subarray(0, file.length / 2));
    // Codecs may begin with tables that hold no sound, and Ogg counts by whole pages, of one second here.
    t.ok(seconds >= 1 && seconds < 3.3, `${name}: ${seconds} s`);
  }
});

t.test('a FLAC header that claims more or less than the frames that follow changes nothing', async (t) => {
  const file = bytesOf('tone.flac');
  const claiming = (rate: number, samples: number) => {
    const changed = Buffer.from(file);
    flacHeader(rate, 1, samples).copy(changed, 18, 18, 26);
    return secondsOf(changed);
  };
  t.equal(claiming(8_000, 40_000), 5);
  t.equal(claiming(8_000, 1), 5, 'one sample');
  for (const samples of [400_000, 2 ** 36 - 1]) {
    t.ok(Math.abs(claiming(8_000, samples) - 5) < 0.6, `${samples} samples: the last frame may be incomplete`);
  }
  t.equal(claiming(1, 0), 5, 'no such rate: the frames tell it');
});

t.test('a FLAC frame behind a damaged one still counts, and so does the damaged one', async (t) => {
  const file = bytesOf('tone.flac');
  let second = file.indexOf(Buffer.from([0xff, 0xf8]), 42);
  second = file.indexOf(Buffer.from([0xff, 0xf8]), second + 2);
  for (const at of [second + 2, second + 300]) {
    const damaged = Buffer.from(file);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    t.equal(secondsOf(damaged), 5);
  }
});

const mono = { sampleRate: 16_000, channels: 1, bitsPerSample: 16 };

t.test('of a WAV file counts what arrived, whatever its header says', async (t) => {
  const samples = Buffer.alloc(32_000, 1);
  for (const claimedDataBytes of [0, 2, 1_000, 0xffffffff, 3_200_000]) {
    t.equal(secondsOf(wavFile({ ...mono, claimedDataBytes }, samples)), 1, `${claimedDataBytes} bytes claimed`);
  }
  const file = wavFile(mono, samples);
  t.equal(secondsOf(Buffer.concat([file, riffChunk('id3 ', new Uint8Array(5_000))])), 1, 'other chunks are no sound');
  t.equal(secondsOf(Buffer.concat([file, riffChunk('data', samples)])), 2, 'a second chunk of samples is');
  t.equal(lengthOf(wavFile({ ...mono, sampleRate: 1 }, samples)).source, 'estimate', 'no such rate');
  t.equal(lengthOf(wavFile({ ...mono, sampleRate: 4_000_000_000 }, samples)).source, 'estimate', 'no such rate');
});

t.test('reads the sizes of RF64 and BW64 where they stand', async (t) => {
  const sizes = Buffer.alloc(28);
  sizes.writeBigUInt64LE(32_000n, 8);
  const plain = wavFile({ ...mono, claimedDataBytes: 0xffffffff }, new Uint8Array(32_000));
  for (const id of ['RF64', 'BW64']) {
    const head = Buffer.concat([Buffer.from(id), plain.subarray(4, 12), riffChunk('ds64', sizes)]);
    const file = Buffer.concat([head, plain.subarray(12), riffChunk('LIST', new Uint8Array(3_000))]);
    t.equal(secondsOf(file), 1, id);
  }
});

t.test('a compressed WAV file may not set its own price by its byte rate', async (t) => {
  const file = wavFile(mono, new Uint8Array(64_000));
  file.writeUInt16LE(0x161, 20);
  file.writeUInt32LE(0xffffffff, 28);
  t.ok(secondsOf(file) >= 2);
});

t.test('an ID3 tag before the sound is stepped over', async (t) => {
  const tag = Buffer.concat([Buffer.from('ID3\x04\x00\x00\x00\x00\x01\x02', 'latin1'), Buffer.alloc(130)]);
  for (const name of ['tone.flac', 'cbr.mp3']) {
    t.equal(secondsOf(Buffer.concat([tag, tag, bytesOf(name)])), secondsOf(bytesOf(name)), name);
  }
});

t.test('no recording is longer than its bytes can make it', async (t) => {
  const file = Buffer.from(bytesOf('moov-first.m4a'));
  // Every sample of the track a day long.
  const times = file.indexOf('stts') + 4;
  for (let entry = 0; entry < file.readUInt32BE(times + 4); entry += 1)
    file.writeUInt32BE(2 ** 31, times + 12 + entry * 8);
  t.equal(secondsOf(file), Math.round((file.length / LEAST_BYTES_PER_SECOND) * 1e6) / 1e6);
});

t.test('what nobody here can read is estimated from its size, and no file is none', async (t) => {
  t.same(lengthOf(Buffer.alloc(0)), { audioSeconds: 0, source: 'none' });
  for (const bytes of [Buffer.alloc(8_000, 1), Buffer.from('not audio at all'.repeat(500))]) {
    t.same(lengthOf(bytes), { audioSeconds: 0.5, source: 'estimate' });
  }
  t.equal(lengthOf(Buffer.from('OggS and so on')).source, 'estimate');
});

t.test('damaged recordings are survived, cost no more than the bound, and the same however they are cut', async () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(...files),
      fc.array(fc.tuple(fc.nat({ max: 6_000 }), fc.nat({ max: 255 })), { maxLength: 12 }),
    )
    .map(([name, edits]) => {
      const file = Buffer.from(bytesOf(name)).subarray(0, 12_000);
      for (const [at, value] of edits) file[at % file.length] = value;
      return file;
    });
  const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(damaged, anything), fc.array(fc.nat(), { maxLength: 20 }), (file, cuts) => {
      const { audioSeconds, source } = lengthOf(file, cuts);
      assert.ok(audioSeconds >= 0 && audioSeconds <= file.length / LEAST_BYTES_PER_SECOND + 1);
      assert.deepEqual({ audioSeconds, source }, lengthOf(file));
    }),
    { numRuns: 400 },
  );
});
