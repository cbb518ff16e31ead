/** FLAC streams of single frames, by the tables of RFC 9639. */
import t from 'tap';
import { flacLength } from '../../../actors/audio/flac-length.ts';
import { flacHeader, lengthsWhileRead, secondsRead } from '../../fixtures/audio-bytes.ts';

interface FrameShape {
  readonly size?: readonly [code: number, ...rest: number[]];
  readonly rate?: readonly [code: number, ...rest: number[]];
  readonly channels?: number;
  readonly depth?: number;
  readonly sync?: readonly number[];
  readonly number?: number;
  readonly codedNumber?: readonly number[];
}

/** RFC 9639 §9.1.8: the remainder by x⁸ + x² + x + 1. */
function crc8(bytes: readonly number[]): number {
  let rest = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const top = (rest >> 7) ^ ((byte >> bit) & 1);
      rest = ((rest << 1) & 0xff) ^ (top * 0b111);
    }
  }
  return rest;
}

/** §9.1.5: as UTF-8 would write it, up to 36 bits. */
function codedNumber(number: number): number[] {
  if (number < 128) return [number];
  let rest = 1;
  while (number >= 2 ** (5 * rest + 6)) rest += 1;
  const bytes = [((0xff << (7 - rest)) & 0xff) | Math.floor(number / 64 ** rest)];
  for (let index = rest - 1; index >= 0; index -= 1) bytes.push(0x80 | (Math.floor(number / 64 ** index) % 64));
  return bytes;
}

/** The header of a frame, of 4,096 samples where nothing else is said. */
function frame(shape: FrameShape = {}): number[] {
  const [sizeCode, ...sizeRest] = shape.size ?? [12];
  const [rateCode, ...rateRest] = shape.rate ?? [0];
  const header = [
    ...(shape.sync ?? [0xff, 0xf8]),
    (sizeCode << 4) | rateCode,
    ((shape.channels ?? 0) << 4) | (shape.depth ?? 0b1000),
    ...(shape.codedNumber ?? codedNumber(shape.number ?? 0)),
    ...sizeRest,
    ...rateRest,
  ];
  return [...header, crc8(header)];
}

/** What stands behind the signature: STREAMINFO as the last block, then the frames. */
function stream(rate: number, frames: readonly number[], claimed = 0): Buffer {
  const info = flacHeader(rate, 1, claimed).subarray(4);
  info[0] = 0x80;
  return Buffer.concat([info, Buffer.from(frames)]);
}
const samplesIn = (frames: readonly number[], claimed = 0) =>
  secondsRead(flacLength(), stream(8_000, frames, claimed)) * 8_000;

t.test('the first example of RFC 9639 is one sample at 44.1 kHz', async (t) => {
  const file = Buffer.from(
    '664c614380000022100010000000' +
      '0f00000f0ac442f0000000013e84b41807dc690307586a3dad1a2e0ffff869180000bf0358fd03128baa9a',
    'hex',
  );
  t.strictSame(lengthsWhileRead(flacLength(), file.subarray(4), 4), [[45, 1 / 44_100]]);
});

t.test('a frame has the samples that its code of the block size means', async (t) => {
  const sizes: readonly (readonly [number, readonly number[], number])[] = [
    ...[192, 576, 1_152, 2_304, 4_608].map((samples, index) => [index + 1, [], samples] as const),
    ...[256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768].map((size, index) => [index + 8, [], size] as const),
    [6, [0], 1],
    [6, [0x07], 8],
    [6, [0xff], 256],
    [7, [0x00, 0x00], 1],
    [7, [0x12, 0x34], 0x1235],
    [7, [0xff, 0xff], 65_536],
  ];
  for (const [code, rest, samples] of sizes) {
    t.equal(samplesIn(frame({ size: [code, ...rest] })), samples, `code ${code}, ${rest.join(' ')}`);
  }
  t.equal(samplesIn(frame({ size: [0] })), 0, 'a reserved code is no frame');
});

t.test('where STREAMINFO says no rate, the first frame does', async (t) => {
  const rates: readonly (readonly [number, readonly number[], number])[] = [
    ...[88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000].map(
      (rate, index) => [index + 1, [], rate] as const,
    ),
    [12, [4], 4_000],
    [12, [255], 255_000],
    [13, [0x2b, 0x11], 11_025],
    [13, [0x0f, 0xa0], 4_000],
    [14, [0x11, 0x3a], 44_100],
    [14, [0xff, 0xff], 655_350],
  ];
  for (const [code, rest, rate] of rates) {
    const frames = [...frame({ rate: [code, ...rest] }), ...frame({ rate: [10], number: 1 })];
    t.equal(secondsRead(flacLength(), stream(0, frames)), 8_192 / rate, `code ${code}, ${rest.join(' ')}`);
  }
  t.equal(secondsRead(flacLength(), stream(0, frame())), 0, 'none says it');
  t.equal(samplesIn(frame({ rate: [15] })), 0, 'a forbidden code is no frame');
  t.equal(samplesIn(frame({ rate: [10] })), 4_096, 'what STREAMINFO says stands');
});

t.test('a rate is possible from 4,000 to 655,350', async (t) => {
  for (const rate of [4_000, 655_350]) t.equal(secondsRead(flacLength(), stream(rate, frame())), 4_096 / rate);
  for (const rate of [3_999, 655_351]) t.equal(secondsRead(flacLength(), stream(rate, frame())), 0, String(rate));
});

t.test('eleven arrangements of channels there are, and a bit that must be 0', async (t) => {
  for (let channels = 0; channels < 16; channels += 1) {
    t.equal(samplesIn(frame({ channels })), channels <= 10 ? 4_096 : 0, String(channels));
  }
  t.equal(samplesIn(frame({ depth: 0b1001 })), 0);
});

t.test('a frame begins with its sync code only', async (t) => {
  for (const sync of [
    [0xff, 0xf8],
    [0xff, 0xf9],
    [0xff, 0xff, 0xff, 0xf8],
    [0xff, 0x12, 0xff, 0xf8],
  ]) {
    const [head, lead] = [sync.slice(-2), sync.slice(0, -2)];
    t.equal(samplesIn([...lead, ...frame({ sync: head })]), 4_096, Buffer.from(sync).toString('hex'));
  }
  for (const second of [0xfa, 0xfb, 0xf0, 0xe8, 0x78]) t.equal(samplesIn(frame({ sync: [0xff, second] })), 0);
  t.equal(samplesIn(frame({ sync: [0xfe, 0xf8] })), 0);
});

t.test('a damaged header is no frame, whichever bit is wrong', async (t) => {
  const sound = frame({ size: [7, 0x01, 0x00], rate: [13, 0x1f, 0x40], number: 3_000 });
  for (let bit = 16; bit < sound.length * 8; bit += 1) {
    const damaged = sound.map((byte, index) => (index === bit >> 3 ? byte ^ (0x80 >> (bit & 7)) : byte));
    t.equal(samplesIn(damaged), 0, `bit ${bit}`);
  }
});

t.test('frames between two sound ones count by the numbers of these, up to eight', async (t) => {
  const pair = (first: number, second: number, sync = [0xff, 0xf8]) =>
    samplesIn([...frame({ number: first, sync }), ...frame({ number: second, size: [1], sync })]);
  const shown = 4_096 + 192;
  for (const first of [0, 5, 126, 2_046, 65_534, 2 ** 21 - 2, 2 ** 26 - 2, 2 ** 31 - 2]) {
    t.equal(pair(first, first + 1), shown, `${first} and the next`);
    t.equal(pair(first, first + 4), shown + 3 * 4_096, `three are hidden behind ${first}`);
    t.equal(pair(first, first + 9), shown + 8 * 4_096, `eight are hidden behind ${first}`);
    t.equal(pair(first, first + 10), shown, `nine are not there behind ${first}`);
  }
  t.equal(pair(7, 7), shown, 'a number twice');
  t.equal(pair(7, 2), shown, 'a number that is less');
  t.equal(pair(0, 8, [0xff, 0xf9]), shown, 'numbers of samples are no numbers of frames');
  t.equal(samplesIn(frame({ number: 6 })), 4_096, 'nothing is hidden before the first');
});

t.test('the number of a frame has one to seven bytes', async (t) => {
  t.equal(samplesIn(frame({ codedNumber: [0x7f] })), 4_096);
  t.equal(samplesIn(frame({ codedNumber: [0xfe, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80] })), 4_096);
  t.equal(samplesIn(frame({ codedNumber: [0x80] })), 0, 'it does not begin with a continuation');
  t.equal(samplesIn(frame({ codedNumber: [0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80] })), 0, 'nor has it eight');
});

t.test('the last frame counts where no more is claimed, for else its end may be missing', async (t) => {
  const frames = [...frame(), ...frame({ number: 1, size: [1] })];
  for (const claimed of [0, 1, 4_287, 4_288]) t.equal(samplesIn(frames, claimed), 4_288, `${claimed} claimed`);
  for (const claimed of [4_289, 2 ** 32, 2 ** 36 - 1]) t.equal(samplesIn(frames, claimed), 4_096, `${claimed} claimed`);
});

t.test('blocks of metadata are stepped over, whatever is in them', async (t) => {
  const block = (type: number, body: Uint8Array, isLast = false) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(((isLast ? 0x80 : 0) + type) * 2 ** 24 + body.length);
    return Buffer.concat([head, body]);
  };
  const info = flacHeader(8_000, 1, 0).subarray(8);
  const otherInfo = flacHeader(16_000, 1, 0).subarray(8);
  const look = Buffer.from(frame());
  const after = [block(4, look), block(1, otherInfo), block(6, Buffer.concat([look, Buffer.alloc(0x1_0203)]))];
  const seconds = (...parts: Uint8Array[]) => secondsRead(flacLength(), Buffer.concat(parts));
  t.equal(seconds(block(0, info), ...after, block(3, look, true), look) * 8_000, 4_096);
  t.equal(seconds(block(0, info, true), look) * 8_000, 4_096, 'STREAMINFO alone');
  t.equal(seconds(block(0, Buffer.concat([info, look]), true), look), 0, 'a longer STREAMINFO is none');
  t.equal(seconds(block(0, info), block(127, new Uint8Array(0), true), look) * 8_000, 4_096, 'an empty block');
});

t.test('a frame counts when its header is whole, and not a byte before', async (t) => {
  const second = frame({ number: 128, size: [7, 0, 1], rate: [12, 8] });
  const frames = [...frame({ number: 127 }), 1, 2, 3, ...second];
  const changes = lengthsWhileRead(flacLength(), stream(8_000, frames));
  t.strictSame(changes, [
    [38 + 6, 4_096 / 8_000],
    [38 + frames.length, 4_098 / 8_000],
  ]);
});
