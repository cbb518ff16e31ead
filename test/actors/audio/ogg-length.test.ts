/** Ogg files of few pages, by RFC 3533 and the mappings of Opus, Vorbis, FLAC and Speex. */
import t from 'tap';
import { oggLength } from '../../../actors/audio/ogg-length.ts';
import { lengthsWhileRead, secondsRead } from '../../fixtures/audio-bytes.ts';

interface PageShape {
  readonly flags?: number;
  readonly granule?: bigint;
  readonly serial?: number;
  /** The page's last packet goes on in the next one. */
  readonly isOpen?: boolean;
}
const begins = 2;
const continues = 1;

/** RFC 3533 §6. */
function page(shape: PageShape, ...packets: Uint8Array[]): Buffer {
  const lacing = packets.flatMap((packet, index) => {
    const full = Array.from({ length: Math.floor(packet.length / 255) }, () => 255);
    return shape.isOpen === true && index === packets.length - 1 ? full : [...full, packet.length % 255];
  });
  const head = Buffer.alloc(27, 0xee);
  head.write('OggS');
  head[4] = 0;
  head[5] = shape.flags ?? 0;
  head.writeBigInt64LE(shape.granule ?? 0n, 6);
  head.writeUInt32LE(shape.serial ?? 7, 14);
  head[26] = lacing.length;
  return Buffer.concat([head, Buffer.from(lacing), ...packets]);
}
const seconds = (...parts: Uint8Array[]) => secondsRead(oggLength(), Buffer.concat(parts).subarray(4), 4);

const header = (bytes: number, name: string, ...fields: (readonly [at: number, value: Uint8Array])[]) => {
  const body = Buffer.alloc(bytes, 0xdd);
  body.write(name, 'latin1');
  for (const [at, value] of fields) body.set(value, at);
  return body;
};
const u32le = (value: number) => Uint8Array.from([value, value >>> 8, value >>> 16, value >>> 24]);
const vorbisHead = (rate: number, sizes: number, bytes = 30) =>
  header(bytes, '\x01vorbis', [12, u32le(rate)], [28, Uint8Array.of(sizes)]);
const flacHead = (rate: number, bytes = 51) => header(bytes, '\x7fFLAC', [27, u32le(rate << 12).reverse()]);
const speexHead = (rate: number, bytes = 80) => header(bytes, 'Speex   ', [36, u32le(rate)]);
const opusHead = header(19, 'OpusHead');
const opusTags = header(300, 'OpusTags');

/** A packet of Opus: of one frame of 20 ms where nothing else is said. */
const packet = (bytes = 40, first = 0x08) => new Uint8Array(bytes).fill(first, 0, 1);
const opus = page({ flags: begins }, opusHead);
const opusSeconds = (...pages: Uint8Array[]) => Math.round(seconds(opus, page({}, opusTags), ...pages) * 1e6) / 1e6;

t.test('Opus counts by its packets, whatever their size', async (t) => {
  t.equal(opusSeconds(page({}, packet(), packet())), 0.04);
  for (const bytes of [1, 2, 8, 9, 254, 255, 256, 510, 700]) {
    t.equal(opusSeconds(page({}, packet(bytes), packet(3))), 0.04, `${bytes} bytes`);
  }
  t.equal(opusSeconds(page({}, packet(0), packet(3))), 0.02, 'an empty one is none');
  t.equal(opusSeconds(page({}, Buffer.from([0x0b, 5, 0]), packet(4, 0x09))), 0.14, 'of five frames and of two');
  t.equal(opusSeconds(page({ granule: 2n ** 40n }, packet())), 0.02, 'a page that says it is later');
  t.equal(opusSeconds(), 0, 'the tags are no sound');
  t.equal(opusSeconds(page({})), 0, 'nor is a page of nothing');
});

t.test('a packet that goes on in the next page counts once', async (t) => {
  t.equal(opusSeconds(page({ isOpen: true }, packet(510)), page({ flags: continues }, packet(90), packet())), 0.04);
  const goesOn = page({ flags: continues, isOpen: true }, packet(510));
  t.equal(
    opusSeconds(page({ isOpen: true }, packet(), packet(255)), goesOn, page({ flags: continues }, packet())),
    0.04,
  );
  t.equal(opusSeconds(page({ isOpen: true }, packet(255)), page({ flags: continues }, packet(0), packet())), 0.04);
});

t.test('other streams beside it are stepped over, and one behind it counts', async (t) => {
  const other = page({ flags: begins, serial: 8 }, header(64, 'fishead\0'));
  t.equal(opusSeconds(other, page({ serial: 8 }, packet(), packet(600)), page({}, packet())), 0.02);
  t.equal(seconds(other, page({ serial: 8 }, packet()), opus, page({}, packet())), 0.02, 'also before it');
  t.equal(
    opusSeconds(page({}, packet()), page({ flags: begins, serial: 9 }, opusHead), page({ serial: 9 }, packet())),
    0.04,
  );
  t.equal(seconds(page({}, packet())), 0, 'sound that nothing began');
});

t.test('an Opus head may share its page', async (t) => {
  t.equal(seconds(page({ flags: begins }, opusHead, header(300, 'OpusTags')), page({}, packet())), 0.02);
  t.equal(seconds(page({ flags: begins }, header(80, 'unknown'), opusHead), page({}, packet())), 0.02, 'in any order');
  t.equal(
    seconds(page({ flags: begins }, opusHead, vorbisHead(8_000, 0xb8)), page({}, packet())),
    0.02,
    'the first is it',
  );
});

t.test('the next page is found behind anything', async (t) => {
  for (const between of ['O', 'Og', 'Ogg', 'OggO', 'OgO', 'OOO', 'Oggs', 'xOgOgg', '\0\xff', 'OggX']) {
    t.equal(opusSeconds(Buffer.from(between, 'latin1'), page({}, packet())), 0.02, between);
  }
});

const sound = (granule: bigint, count: number, shape: PageShape = {}) =>
  page({ granule, ...shape }, ...Array.from({ length: count }, () => packet(30)));

t.test('Vorbis counts by granules, and a packet holds no more than its longer block', async (t) => {
  const of = (...pages: Uint8Array[]) => seconds(page({ flags: begins }, vorbisHead(8_000, 0xb8)), ...pages) * 8_000;
  t.equal(of(sound(2_000n, 1)), 2_000);
  t.equal(of(sound(2_048n, 1)), 2_048);
  t.equal(of(sound(2_049n, 1)), 2_048, 'one packet of 2,048');
  t.equal(of(sound(9_000n, 3), sound(10_000n, 1)), 3 * 2_048 + 1_000);
  t.equal(of(sound(2_000n, 1), sound(1_000n, 1), sound(2_500n, 1)), 2_500, 'back and forth');
  t.equal(of(sound(-1n, 1), sound(100n, 1)), 100, 'no packet ends on this page');
  t.equal(of(sound(2n ** 40n, 2), sound(2n ** 40n + 5n, 2)), 2 * 2_048 + 5, 'long streams');
  t.equal(of(page({ granule: 9_000n, isOpen: true }, packet(30), packet(255))), 2_048, 'an open packet is none yet');
  t.equal(of(page({ granule: 9_000n }, packet(255), packet(510))), 2 * 2_048);
  t.equal(of(page({ granule: 900n, serial: 8 }, packet(30)), sound(100n, 1)), 100, 'another stream');
  t.equal(of(sound(0n, 3)), 0, 'its headers');
});

t.test('FLAC and Speex count by granules too', async (t) => {
  const of = (head: Uint8Array, granule: bigint, count = 1) =>
    seconds(page({ flags: begins }, head), sound(granule, count));
  t.equal(of(flacHead(8_000), 40_000n), 5);
  t.equal(of(flacHead(8_000), 65_535n), 65_535 / 8_000);
  t.equal(of(flacHead(8_000), 65_536n), 65_535 / 8_000, 'more than a frame of FLAC holds');
  t.equal(of(speexHead(16_000), 6_400n), 0.4);
  t.equal(of(speexHead(16_000), 6_401n), 0.4, 'more than ten frames of Speex');
  t.equal(of(speexHead(16_000), 12_000n, 2), 0.75);
  t.equal(of(vorbisHead(16_000, 0xd6), 8_192n), 8_192 / 16_000);
});

t.test('a header that is short, or names no possible rate, begins no sound', async (t) => {
  const of = (head: Uint8Array) => seconds(page({ flags: begins }, head), sound(4_000n, 9));
  for (const rate of [4_000, 655_350]) {
    for (const head of [vorbisHead(rate, 0xb8), flacHead(rate), speexHead(rate, 64)]) t.equal(of(head), 4_000 / rate);
  }
  for (const rate of [0, 3_999, 655_351]) {
    for (const head of [vorbisHead(rate, 0xb8), flacHead(rate), speexHead(rate)]) t.equal(of(head), 0, String(rate));
  }
  t.equal(of(vorbisHead(8_000, 0xb8, 29)), 0);
  t.equal(of(flacHead(8_000, 50)), 0);
  t.equal(of(speexHead(8_000, 63)), 0);
  t.equal(of(header(80, 'theora')), 0, 'no sound at all');
});

t.test('a packet counts when it is whole, and a page when it is', async (t) => {
  const first = Buffer.concat([opus, page({}, opusTags)]);
  const file = Buffer.concat([first, page({}, packet(40), packet(300)), Buffer.from('OggOgg'), page({}, packet(1))]);
  const changes = lengthsWhileRead(oggLength(), file.subarray(4), 4);
  t.strictSame(changes, [
    [first.length - 4 + 30 + 40, 0.02],
    [first.length - 4 + 30 + 340, 0.04],
    [file.length - 4, 0.06],
  ]);
});
