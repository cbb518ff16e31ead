/** WAV files of few chunks, by Microsoft's RIFF, EBU Tech 3306 and ITU-R BS.2088. */
import t from 'tap';
import { wavLength } from '../../../actors/audio/wav-length.ts';
import { lengthsWhileRead, riffChunk, secondsRead, wavFile } from '../../fixtures/audio-bytes.ts';

interface FormatShape {
  readonly tag?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bytesPerSecond?: number;
  readonly blockBytes?: number;
  readonly bits?: number;
  readonly bytes?: number;
}
const format = (shape: FormatShape = {}) => {
  const body = Buffer.alloc(Math.max(16, shape.bytes ?? 16), 0xcc);
  body.writeUInt16LE(shape.tag ?? 1, 0);
  body.writeUInt16LE(shape.channels ?? 1, 2);
  body.writeUInt32LE(shape.rate ?? 8_000, 4);
  body.writeUInt32LE(shape.bytesPerSecond ?? 1, 8);
  body.writeUInt16LE(shape.blockBytes ?? 1, 12);
  body.writeUInt16LE(shape.bits ?? 8, 14);
  return riffChunk('fmt ', body.subarray(0, shape.bytes ?? 16));
};
const data = (bytes: number, claimed = bytes) => riffChunk('data', new Uint8Array(bytes), claimed);
const riff = Buffer.from('\0\0\0\0WAVE');
/** Seconds of the file whose signature is followed by `chunks`. */
const seconds = (...chunks: Uint8Array[]) => secondsRead(wavLength(4), Buffer.concat([riff, ...chunks]), 4);

t.test('sound comes in whole samples of every channel', async (t) => {
  for (const [shape, frame] of [
    [{}, 1],
    [{ bits: 16 }, 2],
    [{ bits: 24, channels: 2 }, 6],
    [{ tag: 3, bits: 32, channels: 2 }, 8],
    [{ tag: 6, channels: 2 }, 2],
    [{ tag: 7 }, 1],
  ] as const) {
    const of = (bytes: number) => seconds(format(shape), data(bytes));
    t.strictSame([of(frame * 4_000), of(frame * 4_000 - 1), of(frame * 4_001)], [0.5, 3_999 / 8_000, 4_001 / 8_000]);
  }
});

t.test('a block of ADPCM or GSM holds the samples that its codec says', async (t) => {
  const blocks = (shape: FormatShape, count: number) =>
    seconds(format({ ...shape, bytesPerSecond: 1_234 }), data(count * (shape.blockBytes ?? 1))) * (shape.rate ?? 8_000);
  // Microsoft's: seven bytes of head and two samples in it for each channel; IMA's: four, and one.
  for (const [name, shape, samples] of [
    ['Microsoft, mono', { tag: 0x02, blockBytes: 256 }, 500],
    ['Microsoft, stereo', { tag: 0x02, blockBytes: 1_024, channels: 2 }, 1_012],
    ['IMA, mono', { tag: 0x11, blockBytes: 256 }, 505],
    ['IMA, stereo', { tag: 0x11, blockBytes: 1_024, channels: 2 }, 1_017],
    ['GSM 06.10', { tag: 0x31, blockBytes: 65 }, 320],
  ] as const) {
    for (const count of [1, 3]) t.equal(Math.round(blocks(shape, count) * 1e6) / 1e6, count * samples, name);
  }
  t.equal(
    seconds(format({ tag: 0x31, blockBytes: 65, bytesPerSecond: 1 }), data(129)),
    320 / 8_000,
    'half a block is none',
  );
});

t.test('other codecs count by the byte rate they state, between 500 and 32,000', async (t) => {
  for (const tag of [0x161, 0xff, 0x02]) {
    const of = (bytesPerSecond: number) => seconds(format({ tag, bytesPerSecond, blockBytes: 3 }), data(64_000));
    t.strictSame([of(1), of(500), of(4_000), of(32_000), of(64_000)], [128, 128, 16, 2, 2], `codec ${tag}`);
  }
});

t.test('a format that no sound can have is none', async (t) => {
  t.equal(seconds(format({ rate: 4_000 }), data(4_000)), 1);
  t.equal(seconds(format({ rate: 655_350 }), data(655_350)), 1);
  for (const rate of [0, 3_999, 655_351]) t.equal(seconds(format({ rate }), data(4_000)), 0, `rate ${rate}`);
  t.equal(seconds(format({ channels: 0 }), data(4_000)), 0, 'no channels');
  t.equal(seconds(format({ bytes: 15 }), data(4_000)), 0, 'too short');
  t.equal(seconds(data(4_000)), 0, 'no format');
  t.equal(seconds(format()), 0, 'no samples');
  t.equal(seconds(data(4_000), format(), data(8_000)), 1, 'samples before their format');
  t.equal(seconds(format({ rate: 1 }), format(), data(8_000)), 1, 'the first possible one is it');
  t.equal(seconds(format(), format({ rate: 16_000 }), data(8_000)), 1, 'and stays it');
});

t.test('formats of any size are stepped over', async (t) => {
  for (const bytes of [16, 17, 18, 39, 40, 41, 42, 300])
    t.equal(seconds(format({ bytes }), data(8_000)), 1, `${bytes}`);
});

t.test('other chunks are stepped over, whatever is in them', async (t) => {
  for (const id of ['LIST', 'bext', 'fact', 'FMT ', 'Data']) {
    for (const bytes of [0, 1, 2, 33]) {
      const body = Buffer.concat([format({ rate: 16_000 }), data(9)]).subarray(0, bytes);
      t.equal(seconds(riffChunk(id, body), format(), riffChunk(id, body), data(8_000)), 1, `${id} of ${bytes}`);
    }
  }
});

t.test('what stands behind the samples is no sound, and more samples are', async (t) => {
  const other = riffChunk('LIST', new Uint8Array(500));
  t.equal(seconds(format(), data(8_000), other), 1);
  t.equal(seconds(format(), data(7_999), other), 7_999 / 8_000, 'an odd number of them is padded');
  t.equal(seconds(format(), data(4_000), other, data(4_000), other, data(8_000)), 2);
  t.equal(seconds(format(), data(4_001), data(3_999), data(1)), 8_001 / 8_000);
  t.equal(seconds(format(), data(4_000), data(8_000).subarray(0, 4_008)), 1, 'as far as they came');
});

t.test('a size that no chunk follows says nothing', async (t) => {
  const claiming = (claimed: number, bytes = 8_000) => seconds(format(), data(bytes, claimed));
  for (const claimed of [0, 2, 4_000, 8_000, 0xfffffff0, 0xffffffff, 0xffffffef])
    t.equal(claiming(claimed), 1, `${claimed}`);
  for (const [id, isChunk] of [
    ['    ', true],
    ['~~~~', true],
    ['\x1fabc', false],
    ['abc\x7f', false],
    ['ab\0d', false],
  ] as const) {
    const after = riffChunk(id, new Uint8Array(3_992));
    t.equal(seconds(format(), data(4_000), after), isChunk ? 0.5 : 1, JSON.stringify(id));
  }
  t.equal(
    seconds(format(), riffChunk('\x01\x02\x03\x04', new Uint8Array(5)), data(8_000)),
    1,
    'before the samples any is',
  );
});

t.test('RF64 says the size of its samples in ds64', async (t) => {
  const ds64 = (samples: bigint, bytes = 28) => {
    const body = Buffer.alloc(Math.max(16, bytes), 0xcc);
    body.writeBigUInt64LE(samples, 8);
    return riffChunk('ds64', body.subarray(0, bytes));
  };
  const other = riffChunk('LIST', new Uint8Array(500));
  for (const open of [0xffffffff, 0xfffffff0, 0]) t.equal(seconds(ds64(8_000n), format(), data(8_000, open), other), 1);
  for (const bytes of [16, 17, 28, 29, 60]) {
    t.equal(seconds(ds64(8_000n, bytes), format(), data(8_000, 0xffffffff), other), 1, `ds64 of ${bytes} bytes`);
  }
  t.equal(seconds(ds64(4_000n), format(), data(8_000), other), 1, 'a chunk that states its own is right');
  t.equal(seconds(ds64(2n ** 40n), format(), data(8_000, 0xffffffff)), 1, 'more than came');
  t.equal(seconds(ds64(0n), format(), data(8_000, 0xffffffff)), 1, 'none');
  t.equal(seconds(ds64(4_000n, 15), format(), data(8_000, 0xffffffff)), 1, 'too short to be read');
  t.equal(seconds(format(), data(8_000, 0xffffffff)), 1, 'missing');
});

t.test('MP3 in a WAV file counts by its frames', async (t) => {
  // MPEG 1 layer III, 128 kbit/s at 44.1 kHz: 417 bytes.
  const frame = Buffer.alloc(417);
  frame.set([0xff, 0xfb, 0x90, 0x00]);
  const frames = riffChunk('data', Buffer.concat([frame, frame, frame]));
  const mp3 = format({ tag: 0x55, rate: 0, channels: 0, bits: 0 });
  t.equal(Math.round(seconds(mp3, frames) * 1e6), Math.round(((3 * 1_152) / 44_100) * 1e6));
  t.equal(seconds(mp3), 0, 'none came');
});

t.test('samples count as they come', async (t) => {
  const chunks = Buffer.concat([riff, format({ bits: 16 }), data(4)]);
  const behind = riffChunk('LIST', new Uint8Array(3));
  t.strictSame(lengthsWhileRead(wavLength(4), Buffer.concat([chunks, behind]), 4), [
    [chunks.length - 2, 1 / 8_000],
    [chunks.length, 2 / 8_000],
  ]);
  const open = Buffer.concat([riff, format({ bits: 16 }), data(4, 0)]);
  t.strictSame(lengthsWhileRead(wavLength(4), open, 4), [
    [open.length - 2, 1 / 8_000],
    [open.length, 2 / 8_000],
  ]);
});

t.test('an extensible format names the real one further on', async (t) => {
  const file = wavFile(
    { sampleRate: 16_000, channels: 2, bitsPerSample: 16, extensible: true },
    new Uint8Array(64_000),
  );
  t.equal(secondsRead(wavLength(4), file.subarray(4), 4), 1);
});
