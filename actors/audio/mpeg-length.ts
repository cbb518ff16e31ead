/** The length of MPEG audio (layers I to III, MPEG 1, 2 and 2.5) and of AAC in ADTS, by counting the frames that passed. */
import { viewOf, type ByteProgram } from './byte-program.ts';
import type { LengthReader } from './length-reader.ts';

interface Frame {
  readonly bytes: number;
  readonly seconds: number;
  readonly samples: number;
  /** What must not change from frame to frame; tells a frame from bytes that only look like one. */
  readonly kind: number;
}

/** @param first the bytes of a frame's header that the caller has taken already; empty where frames have yet to be looked for. */
export function mpegLength(first: Uint8Array): LengthReader {
  const state = { seconds: 0, waiting: 0 };
  return {
    program: readFrames(Buffer.from(first), state),
    // One frame alone is not told from bytes that look like one.
    seconds: () => (state.seconds > 0 ? state.seconds + state.waiting : 0),
  };
}

/** A frame counts once the next one follows it, or the file ends with it. */
function* readFrames(first: Buffer, state: { seconds: number; waiting: number }): ByteProgram {
  let head: Uint8Array = first;
  let kind = -1;
  let isFirst = true;
  for (;;) {
    while (head.length < HEAD_BYTES) head = Buffer.concat([head, yield { take: HEAD_BYTES - head.length }]);
    const frame = frameOf(head);
    if (frame === undefined) {
      state.waiting = 0;
      head = yield* findHead(head);
      continue;
    }
    if (frame.kind === kind) state.seconds += state.waiting;
    kind = frame.kind;
    state.waiting = frame.seconds;
    const left = frame.bytes - head.length;
    const look = Math.max(0, Math.min(TAG_LOOK_BYTES, left));
    const start = Buffer.from(yield { take: look });
    // The first frame of most files holds a table and no sound. Later ones are not looked at: all could be made to look so.
    const table = isFirst ? tableOf(start) : undefined;
    isFirst = false;
    if (table !== undefined) {
      state.waiting = 0;
      state.seconds = (-table.addedSamples / frame.samples) * frame.seconds;
    }
    yield { skip: Math.max(0, left - look) };
    head = Buffer.alloc(0);
  }
}

const HEAD_BYTES = 6;
/** Of a table, up to the lengths of the gaps. */
const TAG_LOOK_BYTES = 200;
/** Two frames and a decoder's delay. */
const MOST_ADDED_SAMPLES = 3_500;

/** The next bytes that may begin a frame, the ones at hand included. */
function* findHead(seen: Uint8Array): Generator<{ take: number } | { find: number }, Uint8Array, Uint8Array> {
  const next = seen.indexOf(0xff, 1);
  if (next !== -1) return Buffer.from(seen.subarray(next));
  yield { find: 0xff };
  return Buffer.from([0xff]);
}

/** What the frame of a table (Xing, Info, VBRI) says the encoder put before and behind the sound; never more than encoders do. */
function tableOf(bytes: Buffer): { readonly addedSamples: number } | undefined {
  const text = bytes.toString('latin1');
  const at = Math.max(text.indexOf('Xing'), text.indexOf('Info'));
  if (at === -1 || at > 36) return text.indexOf('VBRI') === -1 ? undefined : { addedSamples: 0 };
  const gapsAt = at + 141;
  if (bytes.length < gapsAt + 3) return { addedSamples: 0 };
  const gaps = bytes.readUIntBE(gapsAt, 3);
  const addedSamples = (gaps >>> 12) + (gaps & 0xfff);
  return { addedSamples: addedSamples > MOST_ADDED_SAMPLES ? 0 : addedSamples };
}

/** The frame that begins with these six bytes, if one does. */
export function frameOf(head: Uint8Array): Frame | undefined {
  const bits = viewOf(head).getUint32(0);
  if (bits >>> 21 !== 0x7ff) return undefined;
  const layer = (bits >>> 17) & 3;
  return layer === 0 ? adtsFrame(head, bits) : mpegFrame(bits, layer);
}

function adtsFrame(head: Uint8Array, bits: number): Frame | undefined {
  // Bit 20 belongs to the syncword here: layer 0 of MPEG 2.5 is nothing.
  if (((bits >>> 20) & 1) === 0) return undefined;
  const rate = ADTS_RATES[(bits >>> 10) & 0xf];
  const bytes = ((bits & 3) << 11) | ((head[4] ?? 0) << 3) | ((head[5] ?? 0) >>> 5);
  if (rate === undefined || bytes < 8) return undefined;
  return { bytes, samples: 1_024, seconds: 1_024 / rate, kind: bits >>> 10 };
}

const ADTS_RATES = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

function mpegFrame(bits: number, layerBits: number): Frame | undefined {
  const version = (bits >>> 19) & 3;
  const rateIndex = (bits >>> 10) & 3;
  const bitrateIndex = (bits >>> 12) & 0xf;
  const padding = (bits >>> 9) & 1;
  if (version === 1 || rateIndex === 3 || bitrateIndex === 0 || bitrateIndex === 15) return undefined;
  const layer = 4 - layerBits;
  const isFirst = version === 3;
  const rate = ([44_100, 48_000, 32_000][rateIndex] ?? 0) / (isFirst ? 1 : version === 2 ? 2 : 4);
  const table = isFirst ? layer : layer === 1 ? 4 : 5;
  const bitrate = (BITRATES[table - 1]?.[bitrateIndex - 1] ?? 0) * 1_000;
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1_152;
  const bytes =
    layer === 1
      ? (Math.floor((12 * bitrate) / rate) + padding) * 4
      : Math.floor((samples * bitrate) / 8 / rate) + padding;
  return { bytes, samples, seconds: samples / rate, kind: (bits >>> 17) * 4 + rateIndex };
}

/** kbit/s by index: MPEG 1 layers I to III, MPEG 2 layer I, MPEG 2 layers II and III. */
const BITRATES = [
  [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
