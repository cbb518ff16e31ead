/** The smallest things that a container can hold, a million times: what one costs is what keeps an upload from stopping the gateway. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAudioLengthReader } from '../../../actors/audio/audio-length.ts';
import { flacHeader, wavFile } from '../../fixtures/audio-bytes.ts';
import { projectFolder } from '../../fixtures/source-files.ts';

const BYTES = 4_000_000;
/** Where a request was made for each of them it took up to 4 s of a processor; a slow machine may take ten times what ours does. */
const MOST_CPU_MS = 2_000;

const recording = (name: string): Buffer => readFileSync(join(projectFolder, 'test', 'fixtures', 'audio', name));
const flac = flacHeader(16_000, 1, 0);
flac[4] = 0x80;
const cluster = Buffer.from('1f43b67501ffffffffffffff', 'hex');
const webm = recording('opus.webm');
const matroska = Buffer.concat([webm.subarray(0, webm.indexOf(cluster.subarray(0, 4))), cluster]);

const starts: readonly (readonly [name: string, start: Buffer, repeats: readonly string[]])[] = [
  ['FLAC', flac, ['fff8', 'fff8c908', 'ff', 'fff9c908fe8080808080', 'fff8c90800a7']],
  ['FLAC metadata', flacHeader(16_000, 1, 0), ['01000000']],
  ['mp3', recording('cbr.mp3'), ['ff', 'fffb', 'fff1', 'fff15080010ffc']],
  ['Matroska', matroska, ['ab80', 'ab8100', '1f43b67580', 'a38481000000', 'a386810000000000', 'ae80', '00']],
  ['MP4', recording('moov-first.m4a'), ['0000000866726565', '000000086d6f6f66', '00000008747261666d']],
  ['Ogg', recording('opus.ogg'), ['4f', '4f61', '4f676753', `4f676753${'00'.repeat(23)}`, '4f67675300']],
  ['WAV', wavFile({ sampleRate: 8_000, channels: 1, bitsPerSample: 8 }, Buffer.alloc(16)), ['6672656500000000']],
];

t.test('a file of nothing but false starts is measured in a bounded time', async (t) => {
  for (const [name, start, repeats] of starts) {
    for (const repeat of repeats) {
      const reader = createAudioLengthReader();
      const hostile = Buffer.alloc(BYTES, Buffer.from(repeat, 'hex'));
      const before = process.cpuUsage();
      reader.push(start);
      for (let at = 0; at < hostile.length; at += 65_536) reader.push(hostile.subarray(at, at + 65_536));
      const { user, system } = process.cpuUsage(before);
      const cpuMs = (user + system) / 1_000;
      t.ok(cpuMs < MOST_CPU_MS, `${name} ${repeat.slice(0, 20)}: ${cpuMs.toFixed(0)} ms`);
      t.ok(reader.length().audioSeconds > 0);
    }
  }
});
