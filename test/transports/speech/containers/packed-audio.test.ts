import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { createAudioLengthReader } from '../../../../actors/audio/audio-length.ts';
import { VelloError } from '../../../../config/errors.ts';
import { decodeWhole as decode, type DecodedWhole } from '../../../fixtures/decode-whole.ts';
import { recording, packedRecording as read, packedRecordings } from '../../../fixtures/recordings.ts';

// libopus reports damaged packets on the console.
t.capture(console, 'error', () => undefined);

t.test('hears Opus, Vorbis, AAC and FLAC in Ogg, Matroska and MP4 whole, as the gateway measures them', async (t) => {
  for (const { file, seconds } of packedRecordings) {
    const bytes = read(file);
    const decoded = await decode(bytes);
    const reader = createAudioLengthReader();
    reader.push(bytes);
    t.ok(Math.abs(decoded.seconds - seconds) < 0.02, `${file}: ${decoded.seconds} s`);
    t.equal(decoded.lostSeconds, 0);
    // What wrote the FLAC pages says in the last one where its packet begins, and not where it ends.
    // A container may leave the encoder's delay of AAC out of its times.
    const slackSeconds = file.endsWith('.oga') ? 0.3 : file.includes('aac') ? 0.13 : 0.02;
    t.ok(Math.abs(decoded.seconds - reader.length().audioSeconds) < slackSeconds, file);
    t.ok(decoded.samples.some((sample) => Math.abs(sample) > 0.05));
  }
});

t.test('loses a page or a cluster to one flipped bit, goes on behind it, and says how much was lost', async (t) => {
  for (const [file, mark] of [
    ['garden-opus.ogg', 'OggS'],
    ['garden-vorbis.ogg', 'OggS'],
  ] as const) {
    const bytes = read(file);
    const marks: number[] = [];
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) marks.push(at);
    const damagedAt = marks.at(-2)! + 60;
    bytes[damagedAt] = (bytes[damagedAt] ?? 0) ^ 0x10;
    const { seconds, lostSeconds } = await decode(bytes);
    t.ok(lostSeconds > 0.1, `${file}: ${lostSeconds} s lost`);
    t.ok(Math.abs(seconds + lostSeconds - 4.17) < 0.1, `${file}: ${seconds} and ${lostSeconds} s`);
  }
});

t.test('goes on at the next cluster behind a damaged block, and says how much was lost', async (t) => {
  const bytes = read('garden-opus-clusters.webm');
  const cluster = Buffer.from('1f43b675', 'hex');
  const block = bytes.indexOf(0xa3, bytes.indexOf(0xa3, bytes.indexOf(cluster)) + 60);
  bytes[block] = 0x99;
  const { seconds, lostSeconds } = await decode(bytes);
  t.ok(lostSeconds > 0.5, `${lostSeconds} s lost`);
  t.ok(Math.abs(seconds + lostSeconds - 4.17) < 0.1, `${seconds} and ${lostSeconds} s`);
});

t.test('refuses a codec that it cannot decode by name', async (t) => {
  const bytes = read('garden-aac.m4a');
  bytes.write('alac', bytes.indexOf('mp4a'), 'latin1');
  await t.rejects(decode(bytes), { code: 'AUDIO_NOT_RECOGNISED', detail: /holds Apple Lossless/ });
});

t.test('hears AAC as the encoder was given it', async (t) => {
  const { samples: wanted } = await decode(recording('garden-16k.flac').bytes);
  const { samples } = await decode(read('garden-aac.m4a'));
  // An encoder begins with a frame of its own delay.
  let [product, ours, theirs] = [0, 0, 0];
  for (const [index, value] of wanted.entries()) {
    const heard = samples[index + 1024] ?? 0;
    product += value * heard;
    ours += heard * heard;
    theirs += value * value;
  }
  const likeness = product / Math.sqrt(ours * theirs);
  t.ok(likeness > 0.97, `correlation ${likeness}`);
  t.ok(Math.abs(ours / theirs - 1) < 0.1, `${ours / theirs} of the energy`);
});

t.test('loses one frame of bare AAC to a damaged header, and goes on at the next two', async (t) => {
  const bytes = read('garden-stereo.aac');
  const whole = await decode(bytes);
  const second = bytes.indexOf(bytes.subarray(0, 2), 400);
  bytes[second + 1] = 0;
  const { seconds } = await decode(bytes);
  t.ok(seconds < whole.seconds && seconds > whole.seconds - 0.2, `${seconds} of ${whole.seconds} s`);
});

t.test('hears what arrived of a file that breaks off', async (t) => {
  for (const file of ['garden-opus.ogg', 'garden-opus.webm', 'garden-vorbis.webm', 'garden-opus-fragments.mp4']) {
    const bytes = read(file);
    const { seconds } = await decode(bytes.subarray(0, Math.floor(bytes.length * 0.7)));
    t.ok(seconds > 1 && seconds < 4, `${file}: ${seconds} s`);
  }
});

t.test('stops where a table says that an hour lies in the same few bytes again and again', async (t) => {
  const bytes = read('garden-opus.mp4');
  const sizesAt = bytes.indexOf('stsz');
  // All samples of three bytes, four thousand million of them, in a chunk as large.
  bytes.writeUInt32BE(3, sizesAt + 8);
  bytes.writeUInt32BE(0xffffffff, sizesAt + 12);
  bytes.writeUInt32BE(0xffffffff, bytes.indexOf('stsc') + 16);
  const startedMs = performance.now();
  await decode(bytes, 3600).catch((error: unknown) => t.match(error, { code: 'AUDIO_NOT_RECOGNISED' }));
  t.ok(performance.now() - startedMs < 5000);
});

t.test('answers damaged files of every container with sound or an AUDIO code, in bounded time', async (t) => {
  const files = packedRecordings.map(({ file }) => read(file).subarray(0, 9000));
  const edit = fc.tuple(fc.nat({ max: 8999 }), fc.nat({ max: 255 }));
  const headEdit = fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 }));
  const damaged = fc
    .tuple(
      fc.constantFrom(...files),
      fc.array(fc.oneof(edit, headEdit), { minLength: 1, maxLength: 12 }),
      fc.option(fc.nat({ max: 9000 })),
    )
    .map(([original, changes, cut]) => {
      const file = Buffer.from(original);
      for (const [at, value] of changes) file[at % file.length] = value;
      return file.subarray(0, cut ?? file.length);
    });
  let slowestMs = 0;
  await fc.assert(
    fc.asyncProperty(damaged, async (file) => {
      const startedMs = performance.now();
      const outcome = await decode(file, 600).catch((error: unknown) => error);
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      if (outcome instanceof Error) assert.ok(outcome instanceof VelloError && outcome.status === 400, outcome.stack);
      else assert.ok((outcome as DecodedWhole).samples.every((sample) => Number.isFinite(sample)));
    }),
    { numRuns: 150 },
  );
  t.ok(slowestMs < 10_000, `${slowestMs} ms`);
});
