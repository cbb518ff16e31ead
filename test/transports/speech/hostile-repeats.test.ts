/** Recordings that are made of false starts: each is refused, or heard, before the thread that decodes is given up. */
import t from 'tap';
import { decodeFlac } from '../../../transports/speech/codecs/decode-flac.ts';
import { adtsPackets } from '../../../transports/speech/containers/adts-packets.ts';
import { matroskaPackets } from '../../../transports/speech/containers/matroska-packets.ts';
import { mp4Packets } from '../../../transports/speech/containers/mp4-packets.ts';
import { flacHeader } from '../../fixtures/audio-bytes.ts';
import { packedRecording } from '../../fixtures/recordings.ts';

const BYTES = 25_000_000;
/** Where a generator ran at each of them, FLAC took 36 s. */
const MOST_CPU_MS = 10_000;
const cluster = Buffer.from('1f43b675', 'hex');
const hostile = (start: Uint8Array, repeat: string) =>
  Buffer.concat([start, Buffer.alloc(BYTES, Buffer.from(repeat, 'hex'))]);

function cpuMsOf(events: Iterable<unknown>): number {
  const before = process.cpuUsage();
  const read = events[Symbol.iterator]();
  while (read.next().done !== true) continue;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

t.test('a FLAC file of headers that are none is refused', async (t) => {
  const start = flacHeader(16_000, 1, 0);
  start[4] = 0x80;
  for (const repeat of ['fff8', 'fff8c908', 'fff9c908fe8080808080']) {
    const file = hostile(start, repeat);
    const before = process.cpuUsage();
    t.throws(() => cpuMsOf(decodeFlac(file, 3_600)), { code: 'AUDIO_NOT_RECOGNISED' });
    const { user, system } = process.cpuUsage(before);
    t.ok((user + system) / 1_000 < MOST_CPU_MS, `${repeat}: ${user + system} µs`);
  }
});

t.test('what follows the sound in other containers is passed over', async (t) => {
  const [webm, mp4, aac] = ['garden-opus.webm', 'garden-opus-fragments.mp4', 'garden-stereo.aac'].map(packedRecording);
  for (const [name, read, start = Buffer.alloc(0), repeat] of [
    ['Matroska elements', matroskaPackets, webm, 'ab80'],
    ['Matroska tracks', matroskaPackets, webm, 'ae80'],
    ['MP4 boxes', mp4Packets, mp4, '0000000866726565'],
    ['ADTS', adtsPackets, aac, 'ff'],
  ] as const) {
    const cpuMs = cpuMsOf(read(hostile(start, repeat)));
    t.ok(cpuMs < MOST_CPU_MS, `${name}: ${cpuMs.toFixed(0)} ms`);
  }
});

t.test('a Matroska file that names more than 256 tracks is refused', async (t) => {
  const webm = packedRecording('garden-opus.webm');
  const at = webm.indexOf(cluster);
  const named = (count: number) =>
    Buffer.concat([webm.subarray(0, at), Buffer.alloc(2 * count, Buffer.from('ae80', 'hex')), webm.subarray(at)]);
  t.equal([...matroskaPackets(named(255))].length, [...matroskaPackets(webm)].length);
  t.throws(() => [...matroskaPackets(named(256))], { code: 'AUDIO_NOT_RECOGNISED', detail: /too many tracks/ });
});
