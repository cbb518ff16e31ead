/** Recordings that were damaged, cut, made up: the length is a number that their bytes allow, found at once, however they are cut. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAudioLengthReader, LEAST_BYTES_PER_SECOND } from '../../actors/audio/audio-length.ts';
import { flacHeader, wavFile } from '../fixtures/audio-bytes.ts';
import { chanceFrom, fragments, fuzzDeadline, fuzzMs, fuzzSeed, mutate, type Chance } from '../fixtures/fuzz-run.ts';
import { projectFolder } from '../fixtures/source-files.ts';

const folder = join(projectFolder, 'test', 'fixtures', 'audio');
const recordings = readdirSync(folder)
  .filter((name) => !name.endsWith('.md'))
  .map((name) => readFileSync(join(folder, name)));

const SIGNATURES = [
  'RIFF',
  'RF64',
  'BW64',
  'fLaC',
  'OggS',
  'ID3\x04',
  '\x1a\x45\xdf\xa3',
  '\0\0\0\x18ftyp',
  '\xff\xfb',
];
/** What a length, a rate or a count is most likely to go wrong at. */
const EDGES = ['00000000', '00000001', '7fffffff', '80000000', 'ffffffff', 'ffffffffffffffff', '0000000000000000'];

function madeUp(chance: Chance): Buffer {
  const kind = chance.below(4);
  if (kind === 0)
    return Buffer.concat([Buffer.from(chance.pick(SIGNATURES), 'latin1'), chance.bytes(chance.below(3_000))]);
  if (kind === 1)
    return Buffer.concat([
      flacHeader(chance.below(2 ** 20), 1 + chance.below(8), chance.below(2 ** 36)),
      chance.bytes(chance.below(3_000)),
    ]);
  if (kind === 2) {
    const shape = {
      sampleRate: chance.below(2 ** 32),
      channels: chance.below(8_192),
      bitsPerSample: 8 * chance.below(9),
    };
    return wavFile({ ...shape, claimedDataBytes: chance.below(2 ** 32) }, chance.bytes(chance.below(2_000)));
  }
  const recording = Buffer.from(chance.pick(recordings));
  const start = recording.subarray(0, 200 + chance.below(20_000));
  for (let count = chance.below(6); count > 0; count -= 1) {
    const edge = Buffer.from(chance.pick(EDGES), 'hex');
    edge.copy(start, chance.below(Math.min(start.length, 400)));
  }
  return chance.next() < 0.5 ? start : mutate(start, chance, 400);
}

function lengthOf(pieces: Iterable<Buffer>) {
  const reader = createAudioLengthReader();
  for (const piece of pieces) {
    reader.push(piece);
    reader.length();
  }
  return reader.length();
}

t.test(`recordings of any bytes (seed ${fuzzSeed})`, fuzzDeadline, async (t) => {
  const seeds = chanceFrom(fuzzSeed);
  const until = Date.now() + fuzzMs;
  const faults: object[] = [];
  const sources = new Set<string>();
  let count = 0;
  for (; Date.now() < until && faults.length < 5; count += 1) {
    const seed = seeds.below(2 ** 32);
    const chance = chanceFrom(seed);
    const file = madeUp(chance);
    const startedMs = performance.now();
    try {
      const whole = lengthOf([file]);
      const cut = lengthOf(fragments(file, chance));
      const { audioSeconds, source } = whole;
      sources.add(source);
      const isBounded = audioSeconds >= 0 && audioSeconds <= file.length / LEAST_BYTES_PER_SECOND + 1e-6;
      if (!isBounded || source !== cut.source || audioSeconds !== cut.audioSeconds)
        faults.push({ seed, bytes: file.length, whole, cut });
    } catch (error) {
      faults.push({ seed, error });
    }
    const tookMs = performance.now() - startedMs;
    if (tookMs > 2_000) faults.push({ seed, bytes: file.length, tookMs });
    if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.strictSame(faults, []);
  t.ok(sources.has('header') && sources.has('estimate'), [...sources].join(', '));
  t.comment(`${count} recordings`);
});
