import t from 'tap';
import { wavEncodingOf } from '../../../../actors/audio/formats/wav.ts';

interface Fields {
  readonly tag?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  readonly bytesPerSecond?: number;
  readonly frameBytes?: number;
  readonly bits?: number;
  readonly realTag?: number;
  readonly length?: number;
}

function formatOf(fields: Fields): Buffer {
  const { tag = 1, channels = 2, sampleRate = 8000, bytesPerSecond = 0, frameBytes = 0, bits = 16 } = fields;
  const bytes = Buffer.alloc(40);
  bytes.writeUInt16LE(tag, 0);
  bytes.writeUInt16LE(channels, 2);
  bytes.writeUInt32LE(sampleRate, 4);
  bytes.writeUInt32LE(bytesPerSecond, 8);
  bytes.writeUInt16LE(frameBytes, 12);
  bytes.writeUInt16LE(bits, 14);
  bytes.writeUInt16LE(fields.realTag ?? 0, 24);
  return bytes.subarray(0, fields.length ?? 40);
}
const read = (fields: Fields) => wavEncodingOf(formatOf(fields));

t.test('an uncompressed encoding is worked out from rate, channels and depth, whatever the rest says', async (t) => {
  for (const [tag, kind] of [
    [1, 'integer'],
    [3, 'float'],
    [6, 'a-law'],
    [7, 'mu-law'],
  ] as const) {
    t.strictSame(read({ tag, bytesPerSecond: 9, frameBytes: 9 }), {
      ...{ kind, sampleRate: 8000, channels: 2, bitsPerSample: 16, frameBytes: 4, bytesPerSecond: 32_000 },
    });
  }
  t.match(read({ bits: 12 }), { frameBytes: 4 }, 'a sample takes whole bytes');
  t.match(read({ bits: 64 }), { frameBytes: 16 });
  t.match(read({ length: 16 }), { kind: 'integer' }, 'sixteen bytes are enough');
});

t.test('an extensible format says what it is further on, where it is long enough', async (t) => {
  const extensible = { tag: 0xfffe, bytesPerSecond: 7, frameBytes: 1 };
  t.match(read({ ...extensible, realTag: 3 }), { kind: 'float' });
  t.match(read({ ...extensible, realTag: 3, length: 26 }), { kind: 'float' });
  t.match(read({ ...extensible, realTag: 3, length: 25 }), { kind: 'other', bytesPerSecond: 7 });
  t.match(
    read({ tag: 2, bytesPerSecond: 7, frameBytes: 1, realTag: 3 }),
    { kind: 'other' },
    'an ordinary one does not',
  );
});

t.test('a compressed encoding is what its writer says', async (t) => {
  t.strictSame(read({ tag: 2, bytesPerSecond: 4055, frameBytes: 256, bits: 4 }), {
    ...{ kind: 'other', sampleRate: 8000, channels: 2, bitsPerSample: 4, frameBytes: 256, bytesPerSecond: 4055 },
  });
});

const impossible: Readonly<Record<string, Fields>> = {
  'fifteen bytes': { length: 15 },
  'no channels': { channels: 0 },
  'no sample rate': { sampleRate: 0 },
  'no depth': { bits: 0 },
  'a depth of nine bytes': { bits: 65 },
  'compressed without a byte rate': { tag: 2, frameBytes: 1 },
  'compressed without a block size': { tag: 2, bytesPerSecond: 1 },
};
for (const [name, fields] of Object.entries(impossible)) {
  t.test(`${name} is no encoding`, async (t) => t.equal(read(fields), undefined));
}
t.test('one channel at one sample a second is', async (t) => {
  t.match(read({ channels: 1, sampleRate: 1, bits: 1 }), { bytesPerSecond: 1 });
});
