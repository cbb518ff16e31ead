/** MP4 files of few boxes, by the tables of ISO 14496-12. */
import t from 'tap';
import { mp4Length } from '../../../actors/audio/mp4-length.ts';
import { lengthsWhileRead, secondsRead } from '../../fixtures/audio-bytes.ts';

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
};
const box = (type: string, ...bodies: Uint8Array[]) => {
  const body = Buffer.concat(bodies);
  return Buffer.concat([u32(body.length + 8), Buffer.from(type), body]);
};
/** A box whose size is written in 64 bits. */
const longBox = (type: string, body: Uint8Array, claimed = body.length + 16) =>
  Buffer.concat([u32(1), Buffer.from(type), u32(0, claimed), body]);

const long = 0x01_00_00_00;
const tkhd = (number: number, version: 0 | 1 = 0) =>
  box('tkhd', version === 0 ? u32(0, 91, 92, number, 93, 94, 95) : u32(long, 0, 91, 0, 92, number, 93, 94));
const mdhd = (timescale: number, version: 0 | 1 = 0) =>
  box('mdhd', version === 0 ? u32(0, 91, 92, timescale, 93, 94, 95) : u32(long, 0, 91, 0, 92, timescale, 93, 94));
const hdlr = (type: string) => box('hdlr', u32(0, 0), Buffer.from(type), u32(0, 0, 0), Buffer.from('name\0'));
const stts = (...entries: (readonly [number, number])[]) => box('stts', u32(0, entries.length, ...entries.flat()));
const stsz = (common: number, count: number, ...sizes: number[]) => box('stsz', u32(0, common, count, ...sizes));

interface TrackShape {
  readonly number?: number;
  readonly kind?: string;
  readonly timescale?: number;
  readonly version?: 0 | 1;
}
const trak = (shape: TrackShape, ...tables: Uint8Array[]) =>
  box(
    'trak',
    tkhd(shape.number ?? 1, shape.version),
    box(
      'mdia',
      mdhd(shape.timescale ?? 8_000, shape.version),
      hdlr(shape.kind ?? 'soun'),
      box('minf', box('smhd', u32(0, 0)), box('stbl', ...tables)),
    ),
  );
const ftyp = box('ftyp', Buffer.from('M4A '), u32(0));
const media = (bytes = 100) => box('mdat', new Uint8Array(bytes));
const reading = (file: Buffer) => [mp4Length(file.subarray(0, 8)), file.subarray(8), 8] as const;
const seconds = (...boxes: Uint8Array[]) => secondsRead(...reading(Buffer.concat(boxes)));
const tone = (...tables: Uint8Array[]) => seconds(ftyp, box('moov', trak({}, ...tables)), media());

t.test('a track sounds as long as its samples, before or behind the media', async (t) => {
  const times = stts([3, 1_024], [2, 512], [1, 1]);
  const moov = (version: 0 | 1) => box('moov', box('mvhd', u32(0, 0)), trak({ version }, times));
  for (const version of [0, 1] as const) {
    t.equal(seconds(ftyp, moov(version), media()), 4_097 / 8_000, `version ${version}, before`);
    t.equal(seconds(ftyp, media(), moov(version)), 4_097 / 8_000, `version ${version}, behind`);
  }
  t.equal(seconds(box('moov', trak({ timescale: 1 }, stts([1, 1]))), media(1)), 1, 'one second by one sample');
});

t.test('the first track of sound counts, and no other', async (t) => {
  const video = trak({ kind: 'vide', number: 2 }, stts([1, 80_000]));
  const sound = trak({}, stts([1, 16_000]));
  const later = trak({ number: 3 }, stts([1, 24_000]));
  t.equal(seconds(ftyp, box('moov', video, sound, later), media()), 2);
  t.equal(seconds(ftyp, box('moov', video), media()), 0);
  t.equal(seconds(ftyp, box('moov', trak({ timescale: 0 }, stts([1, 16_000])), sound), media()), 2, 'no timescale');
  t.equal(seconds(ftyp, box('moov', trak({}), sound), media()), 2, 'no samples');
  t.equal(seconds(ftyp, box('moov', trak({}, stts([1, 1])), sound), media()), 1 / 8_000, 'one sample is one');
  t.equal(seconds(ftyp, mdhd(8_000), hdlr('soun'), stts([1, 8_000]), stsz(1, 1), tkhd(1), media()), 0, 'no track');
});

t.test('samples that pass too fast count by their bytes', async (t) => {
  t.equal(tone(stts([1, 1]), stsz(96_000, 4)), 2, 'of one size');
  t.equal(tone(stts([1, 1]), stsz(0, 2, 192_000, 96_000)), 1.5, 'of a size each');
  t.equal(tone(stts([1, 1]), stsz(0, 1, 192_000, 96_000)), 1, 'no more of them than are counted');
  t.equal(tone(stts([1, 1]), stsz(0, 9, 192_000, 96_000)), 1.5, 'nor than there are');
  t.equal(tone(stts([1, 8_000]), stsz(0, 2, 19_200, 9_600)), 1, 'slow enough');
});

t.test('a table has no more entries than it counts, nor than fit into it', async (t) => {
  t.equal(tone(box('stts', u32(0, 1, 1, 8_000, 1, 8_000))), 1, 'more are there');
  t.equal(tone(box('stts', u32(0, 9, 1, 8_000, 1, 8_000))), 2, 'fewer are there');
  t.equal(tone(box('stts', u32(0, 2, 1, 8_000, 1)), stsz(0, 0)), 1, 'half an entry is none');
  t.equal(tone(box('stts', u32(0, 9)), stts([1, 8_000])), 1, 'none is there');
  t.equal(tone(box('stts', u32(0)), stts([1, 8_000])), 1, 'not even a count');
  t.equal(tone(stsz(0, 1, 1, 1), stts([1, 8_000])), 1, 'more sizes are there');
  t.equal(tone(box('stsz', u32(0, 0)), stts([1, 8_000])), 1, 'no count of sizes');
});

t.test('boxes that are too short for what they say say nothing', async (t) => {
  const sound = (head: Uint8Array, handler: Uint8Array) =>
    seconds(box('moov', box('trak', head, handler, stts([1, 16_000]))), media());
  const short = (type: string, of: Buffer, bytes: number) => box(type, of.subarray(8, 8 + bytes));
  t.equal(sound(short('mdhd', mdhd(8_000), 24), short('hdlr', hdlr('soun'), 12)), 2);
  t.equal(sound(short('mdhd', mdhd(8_000, 1), 24), hdlr('soun')), 2);
  for (const bytes of [0, 7, 8, 16, 23]) t.equal(sound(short('mdhd', mdhd(8_000), bytes), hdlr('soun')), 0);
  for (const bytes of [0, 7, 8, 11]) t.equal(sound(mdhd(8_000), short('hdlr', hdlr('soun'), bytes)), 0);
});

t.test('what other boxes hold is not read', async (t) => {
  const decoy = trak({ timescale: 1 }, stts([9, 9]));
  for (const type of ['free', 'udta', 'edts', 'meta']) {
    t.equal(
      seconds(ftyp, box(type, decoy), box('moov', box(type, decoy), trak({}, stts([1, 8_000]))), media()),
      1,
      type,
    );
  }
  t.equal(seconds(ftyp, longBox('free', decoy), box('moov', trak({}, stts([1, 8_000]))), longBox('mdat', decoy)), 1);
});

t.test('a box smaller than its head ends the file', async (t) => {
  const sound = box('moov', trak({}, stts([1, 8_000])));
  t.equal(seconds(sound, media(), u32(8), Buffer.from('free')), 1);
  t.equal(seconds(u32(8), Buffer.from('free'), sound, media()), 1, 'an empty box is one');
  for (const bytes of [2, 7]) t.equal(seconds(u32(bytes), Buffer.from('free'), sound, media()), 0, `${bytes} bytes`);
  t.equal(seconds(longBox('free', new Uint8Array(0)), sound, media()), 1, 'an empty box is one');
  t.equal(seconds(longBox('free', new Uint8Array(0), 15), sound, media()), 0, 'its 64 bits say 15 bytes');
});

t.test('of a file that was cut counts as much as of its media came', async (t) => {
  const moov = box('moov', trak({}, stts([1, 8_000])));
  const file = Buffer.concat([moov, media(8_192), media(1_808)]);
  t.strictSame(lengthsWhileRead(...reading(file)), [
    [moov.length + 4_096, 4_096 / 8_192],
    [moov.length + 8_192, 1],
    [moov.length + 8_200, 8_192 / 10_000],
    [moov.length + 10_008, 1],
  ]);
  t.equal(seconds(moov), 0, 'no media');
  t.equal(seconds(moov, media(0)), 0, 'empty media');
  t.equal(seconds(moov, media(1)), 1);
});

t.test('media whose size is open lasts to the end', async (t) => {
  const moov = box('moov', trak({}, stts([1, 8_000])));
  const open = Buffer.concat([u32(0), Buffer.from('mdat'), Buffer.alloc(10_000)]);
  t.equal(seconds(moov, open), 1);
  t.equal(seconds(moov, media(4_096), open), 1);
});

const trex = (track: number, units: number) => box('trex', u32(0, track, 91, units, 92, 93));
const tfhd = (track: number, flags = 0, ...fields: number[]) => box('tfhd', u32(flags, track, ...fields));
const trun = (flags: number, count: number, ...fields: number[]) => box('trun', u32(flags, count, ...fields));
const moof = (...boxes: Uint8Array[]) => box('moof', box('mfhd', u32(0, 1)), box('traf', ...boxes));
const start = (shape: TrackShape = {}, ...defaults: Uint8Array[]) =>
  Buffer.concat([ftyp, box('moov', trak(shape), box('mvex', ...defaults))]);
const units = (...boxes: Uint8Array[]) => seconds(...boxes, media()) * 8_000;

t.test('samples of a fragment last as long as their track, their fragment or they say', async (t) => {
  const begin = start({}, trex(2, 7), trex(1, 100));
  const run = trun(0, 3);
  t.equal(units(begin, moof(tfhd(1), run)), 300, 'the track');
  t.equal(units(begin, moof(tfhd(1, 0x8, 50), run)), 150, 'the fragment');
  t.equal(units(begin, moof(tfhd(1, 0x9, 91, 92, 50, 93), run)), 150, 'behind where its data begin');
  t.equal(units(begin, moof(tfhd(1, 0xa, 91, 50, 92), run)), 150, 'behind its kind of sample');
  t.equal(units(begin, moof(tfhd(1, 0x3b, 91, 92, 93, 50, 94, 95), run)), 150, 'behind both');
  t.equal(units(begin, moof(tfhd(1, 0x02_0010, 91), run)), 300, 'the track, where only sizes are said');
  t.equal(units(begin, moof(tfhd(1, 0x8), run)), 300, 'the track, where the field is missing');
  t.equal(units(begin, moof(tfhd(1, 0xb, 91, 92, 93), run)), 300, 'the track, where the field is missing');
  t.equal(units(begin, moof(tfhd(1, 0x8, 50), trun(0x100, 2, 30, 40))), 70, 'they themselves');
  t.equal(units(begin, moof(tfhd(1), run), moof(tfhd(1), run)), 600, 'each fragment counts');
  t.equal(units(start({}, box('trex', u32(0, 1, 91, 100))), moof(tfhd(1), run)), 300, 'the shortest trex');
  t.equal(units(start({}, box('trex', u32(0, 1, 91))), moof(tfhd(1), run)), 0, 'too short');
  t.equal(units(start(), moof(tfhd(1), run)), 0, 'nobody says it');
  t.equal(units(start({}, trex(0, 100)), moof(box('tfhd', u32(0)), run)), 0, 'no fragment of a track');
});

t.test('a run holds what its flags say, in this order', async (t) => {
  const begin = start({}, trex(1, 100));
  const run = (flags: number, ...fields: number[]) => units(begin, moof(tfhd(1), trun(flags, 2, ...fields)));
  t.equal(run(0x101, 91, 30, 40), 70, 'where its data begin');
  t.equal(run(0x104, 92, 30, 40), 70, 'flags of the first sample');
  t.equal(run(0x105, 91, 92, 30, 40), 70, 'both');
  t.equal(run(0x300, 30, 1, 40, 1), 70, 'durations, sizes');
  t.equal(run(0xf00, 30, 1, 91, 92, 40, 1, 91, 92), 70, 'flags and offsets as well');
  t.equal(run(0x500, 30, 91, 40, 91), 70, 'flags alone');
  t.equal(run(0x900, 30, 91, 40, 91), 70, 'offsets alone');
  t.equal(run(0x200, 192_000, 96_000), 12_000, 'sizes alone');
  t.equal(run(0x205, 91, 92, 192_000, 96_000), 12_000, 'sizes behind the head');
  t.equal(run(0xf00, 30, 192_000, 91, 92, 40, 96_000, 91, 92), 12_000, 'sizes behind durations');
  t.equal(run(0xc00, 91, 92, 91, 92), 200, 'neither');
  t.equal(run(0x100, 30, 40, 50), 70, 'no more than it counts');
  t.equal(run(0x100, 30), 30, 'nor than there are');
  t.equal(run(0x300, 30, 1, 40), 30, 'half an entry is none');
  t.equal(units(begin, moof(tfhd(1), trun(0x300, 2, 30, 1, 40), trun(0x100, 1, 5))), 35, 'and what follows is read');
  t.equal(units(begin, moof(tfhd(1), trun(0x101, 1), trun(0x100, 1, 5))), 5, 'a head without end is stepped over');
});

t.test('fragments belong to the track that they name', async (t) => {
  for (const version of [0, 1] as const) {
    const begin = start({ number: 3, version }, trex(3, 100), trex(4, 1_000));
    t.equal(units(begin, moof(tfhd(4), trun(0, 1)), moof(tfhd(3), trun(0, 2))), 200, `version ${version}`);
    t.equal(units(begin, moof(tfhd(4), trun(0x300, 1, 7, 9), trun(0, 3)), moof(tfhd(3), trun(0, 2))), 200);
  }
  const noNumber = box('trak', box('tkhd', u32(0, 0, 0, 1, 0).subarray(0, 23)), mdhd(8_000), hdlr('soun'));
  t.equal(units(ftyp, box('moov', noNumber, box('mvex', trex(1, 100))), moof(tfhd(1), trun(0, 1))), 0, 'no number');
});

t.test('a file that names more tracks than any film has is read no further', async (t) => {
  const times = stts([8_000, 1]);
  const named = (count: number) => Array.from({ length: count }, () => trak({ kind: 'vide' }));
  t.equal(seconds(ftyp, box('moov', ...named(255), trak({}, times)), media()), 1);
  t.equal(seconds(ftyp, box('moov', ...named(256), trak({}, times)), media()), 0);
});
