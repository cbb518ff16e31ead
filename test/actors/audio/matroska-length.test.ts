/** Matroska files of few elements, by RFC 8794 (EBML) and RFC 9559. */
import t from 'tap';
import { matroskaLength } from '../../../actors/audio/matroska-length.ts';
import { lengthsWhileRead, secondsRead } from '../../fixtures/audio-bytes.ts';

/** RFC 8794 §4: a number in `bytes` bytes, with its length marker. */
const vint = (value: number | bigint, bytes = 1) => {
  const coded = Buffer.alloc(8);
  coded.writeBigUInt64BE(BigInt(value) | (1n << BigInt(7 * bytes)));
  return coded.subarray(8 - bytes);
};
const unknown = (bytes: number) => vint(2n ** BigInt(7 * bytes) - 1n, bytes);
const el = (id: string, body: Uint8Array, sizeBytes = 2) =>
  Buffer.concat([Buffer.from(id, 'hex'), vint(body.length, sizeBytes), body]);
const openEl = (id: string, ...body: Uint8Array[]) => Buffer.concat([Buffer.from(id, 'hex'), unknown(8), ...body]);
const uint = (id: string, value: number, bytes = 1) => {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(value));
  return el(id, body.subarray(8 - bytes), 1);
};
const all = (...parts: Uint8Array[]) => Buffer.concat(parts);

const header = all(vint(4), uint('4286', 1));
const track = (number: number, codec: string, type = 2) =>
  el('ae', all(uint('d7', number, number > 255 ? 2 : 1), uint('83', type), el('86', Buffer.from(codec))));
const tracks = (...entries: Uint8Array[]) => el('1654ae6b', all(...entries));
const scale = (nanoseconds: number, bytes = 4) => el('1549a966', uint('2ad7b1', nanoseconds, bytes));
const cluster = (time: number, ...blocks: Uint8Array[]) => el('1f43b675', all(uint('e7', time, 2), ...blocks), 4);
/** The body of a block: its track, its time, its flags and its packet. */
const block = (number: number, time: number, packet: Uint8Array, flags = 0) => {
  const start = Buffer.alloc(3);
  start.writeInt16BE(time);
  start[2] = flags;
  return all(vint(number, number < 127 ? 1 : 2), start, packet);
};
const simple = (...of: Parameters<typeof block>) => el('a3', block(...of), 4);
const grouped = (...of: Parameters<typeof block>) => el('a0', all(el('a1', block(...of)), uint('9b', 20)));
const sound = Buffer.from([0x09, 0x02, 0, 0]);
const seconds = (...parts: Uint8Array[]) => secondsRead(matroskaLength(), all(header, openEl('18538067', ...parts)), 4);

const vorbis = tracks(track(1, 'A_VORBIS'));
t.test('sound lasts from the first block to the last', async (t) => {
  const blocks = [
    cluster(1_000, simple(1, 250, sound), grouped(1, 500, sound)),
    cluster(3_000, simple(1, -250, sound)),
  ];
  t.equal(seconds(vorbis, ...blocks), 1.5);
  t.equal(seconds(vorbis, blocks[1] ?? sound, blocks[0] ?? sound), (3 * 8) / 192_000, 'not backwards');
  t.equal(seconds(vorbis, cluster(0, simple(1, 0, sound), simple(1, 900, sound), simple(1, 100, sound))), 0.9);
  for (const [nanoseconds, bytes] of [
    [500_000, 3],
    [500_000, 7],
    [500_000, 8],
    [2_000_000, 6],
  ] as const) {
    t.equal(seconds(scale(nanoseconds, bytes), vorbis, ...blocks), (1_500 * nanoseconds) / 1e9, `${bytes} bytes`);
  }
});

t.test('times that pass too slowly for so many bytes are not true', async (t) => {
  const loud = new Uint8Array(95_996);
  t.equal(seconds(vorbis, cluster(0, simple(1, 0, loud), simple(1, 1, loud))), 1);
  t.equal(seconds(vorbis, cluster(7, simple(1, 0, loud))), 0.5, 'of one block');
  t.equal(seconds(vorbis, cluster(7)), 0, 'of none');
});

t.test('Opus counts by its packets, and not by the times of its blocks', async (t) => {
  const opus = tracks(track(1, 'A_OPUS'));
  const packet = (...bytes: number[]) => Buffer.from([...bytes, 0, 0].slice(0, 3));
  t.equal(seconds(opus, cluster(0, simple(1, 0, packet(0x08)), simple(1, 9_000, packet(0x0b, 3)))), 0.02 + 0.06);
  t.equal(seconds(opus, cluster(0, grouped(1, 0, packet(0x1b, 2)))), 0.12, 'in a group');
  t.equal(seconds(tracks(track(1, 'A_OPUS/EXPERIMENTAL')), cluster(0, simple(1, 0, packet(0x08)))), 0.02);
  t.equal(seconds(tracks(track(1, 'A_AAC')), cluster(0, simple(1, 0, packet(0x08)))), 7 / 192_000, 'no Opus');
  for (const flags of [0x02, 0x04, 0x06]) {
    const laced = [simple(1, 0, packet(0x08), flags), simple(1, 400, packet(0x08), flags)];
    t.equal(seconds(opus, cluster(0, ...laced)), 0.4, 'several packets in a block count by time');
  }
  t.equal(seconds(opus, cluster(0, simple(1, 0, packet(0x08), 0x89))), 0.02, 'other flags say nothing of that');
});

t.test('the first track of sound counts, and no other', async (t) => {
  const opus = Buffer.from([0x08, 0]);
  const two = [simple(1, 0, opus), simple(2, 0, opus), simple(2, 0, opus), simple(3, 0, opus)];
  const of = (...entries: Uint8Array[]) => Math.round(seconds(tracks(...entries), cluster(0, ...two)) * 1_000);
  t.equal(of(track(1, 'V_VP8', 1), track(2, 'A_OPUS'), track(3, 'A_OPUS')), 40);
  t.equal(of(track(3, 'A_OPUS'), track(2, 'A_OPUS')), 20);
  t.equal(of(track(1, 'V_VP8', 1), track(2, 'S_TEXT/UTF8', 17)), 0, 'no sound');
  t.equal(of(el('ae', all(uint('d7', 1), uint('83', 2)))), 0, 'no codec');
  t.equal(of(el('ae', all(uint('83', 2), el('86', Buffer.from('A_OPUS'))))), 0, 'no number');
  t.equal(of(el('ae', all(uint('d7', 1), el('86', Buffer.from('A_OPUS'))))), 0, 'no type');
  t.equal(
    of(el('ae', uint('83', 2)), el('ae', all(uint('d7', 1), el('86', Buffer.from('A_OPUS'))))),
    0,
    'not together',
  );
  t.equal(
    of(el('ae', uint('d7', 1)), el('ae', all(uint('83', 2), el('86', Buffer.from('A_OPUS'))))),
    0,
    'not together',
  );
  t.equal(
    of(el('ae', el('86', Buffer.from('A_OPUS'))), el('ae', all(uint('d7', 1), uint('83', 2)))),
    0,
    'not together',
  );
  const backwards = el('ae', all(el('86', Buffer.from('A_OPUS')), uint('83', 2), uint('d7', 2)));
  t.equal(of(backwards), 40, 'in any order');
});

t.test('numbers of tracks may have two bytes', async (t) => {
  const opus = Buffer.from([0x08, 0, 9]);
  for (const number of [126, 127, 128, 300]) {
    const blocks = [simple(number, 0, opus), simple(1, 0, opus), simple(number, 0, opus)];
    t.equal(seconds(tracks(track(number, 'A_OPUS')), cluster(0, ...blocks)), 0.04, String(number));
    t.equal(seconds(tracks(track(1, 'A_OPUS')), cluster(0, ...blocks)), 0.02, `${number} is another track`);
  }
});

t.test('a block without a packet is no sound', async (t) => {
  const opus = tracks(track(1, 'A_OPUS'));
  const whole = simple(1, 0, Buffer.from([0x08, 0]));
  for (const short of [Buffer.from([]), Buffer.from([0x08])]) {
    t.equal(seconds(opus, cluster(0, simple(1, 0, short), whole)), 0.02, 'and what follows it is read');
  }
});

t.test('sizes have one to eight bytes, or are unknown', async (t) => {
  const opus = tracks(track(1, 'A_OPUS'));
  const body = block(1, 0, Buffer.from([0x08, 0]));
  for (let bytes = 1; bytes <= 8; bytes += 1) {
    t.equal(seconds(opus, el('a3', body, bytes), el('ec', Buffer.alloc(9), bytes), el('a3', body)), 0.04, `${bytes}`);
    const parts = [Buffer.from('1f43b675', 'hex'), unknown(bytes), el('a3', body), Buffer.from('ec', 'hex')];
    t.equal(seconds(opus, ...parts, unknown(bytes), el('a3', body)), 0.02, `unknown in ${bytes}`);
  }
  t.equal(seconds(opus, el('ec', Buffer.alloc(300)), el('ec', Buffer.alloc(126), 1), el('a3', body)), 0.02);
  t.equal(seconds(opus, Buffer.from('ec00', 'hex'), el('a3', body)), 0.02, 'a size that is none is 0');
});

t.test('what other elements hold is not read', async (t) => {
  const opus = track(1, 'A_OPUS');
  const whole = simple(1, 0, Buffer.from([0x08, 0]));
  const decoy = [tracks(track(2, 'A_VORBIS')), cluster(0, whole)];
  for (const id of ['ec', '114d9b74', '1c53bb6b', '1254c367', 'e0', '4489']) {
    t.equal(seconds(el(id, all(...decoy)), tracks(opus), cluster(0, el(id, whole), whole)), 0.02, id);
  }
  const longName = el('86', Buffer.from('A_OPUS'.padEnd(65, ' ')));
  const named = (name: Uint8Array) => tracks(el('ae', all(uint('d7', 1), uint('83', 2), name)));
  t.equal(seconds(named(longName), cluster(0, whole)), 0, 'no codec has a name of 65 bytes');
  t.equal(seconds(named(el('86', Buffer.from('A_OPUS'.padEnd(64, ' ')))), cluster(0, whole)), 0.02);
  t.equal(seconds(named(el('86', Buffer.alloc(0))), tracks(opus), cluster(0, whole)), 0.02, 'nor an empty one');
});

t.test('a block counts once its first bytes are there, and not a byte before', async (t) => {
  const opus = tracks(track(1, 'A_OPUS'));
  const whole = simple(1, 0, Buffer.from([0x08, 0, 1, 2, 3]));
  const head = all(header, openEl('18538067', opus, Buffer.from('1f43b675', 'hex'), unknown(8)));
  const changes = lengthsWhileRead(matroskaLength(), all(head, whole, whole), 4);
  t.strictSame(changes, [
    [head.length + 11, 0.02],
    [head.length + whole.length + 11, 0.04],
  ]);
});
