/**
 * The length of a Matroska or WebM file: of Opus by its packets, of others from the first block's time to the last one's.
 * `Duration` is a claim, absent from what browsers record, and is not read.
 */
import type { ByteProgram } from './byte-program.ts';
import type { LengthReader } from './length-reader.ts';
import { opusPacketSeconds } from './opus-packet.ts';

interface State {
  /** Nanoseconds of one unit of time. */
  scale: number;
  clusterTime: number;
  track: { number: number; type: number; codec: string };
  audio: { readonly number: number; readonly isOpus: boolean } | undefined;
  opusSeconds: number;
  firstTime: number | undefined;
  lastTime: number;
  audioBytes: number;
}

/** No codec takes more for sound that is worth compressing; times that pass more slowly than this are not true. */
const MOST_BYTES_PER_SECOND = 192_000;

export function matroskaLength(): LengthReader {
  const state: State = {
    scale: 1_000_000,
    clusterTime: 0,
    track: { number: 0, type: 0, codec: '' },
    audio: undefined,
    opusSeconds: 0,
    firstTime: undefined,
    lastTime: 0,
    audioBytes: 0,
  };
  return {
    program: readElements(state),
    seconds: () => {
      if (state.opusSeconds > 0) return state.opusSeconds;
      const told = ((state.lastTime - (state.firstTime ?? state.lastTime)) * state.scale) / 1e9;
      return Math.max(told, state.audioBytes / MOST_BYTES_PER_SECOND);
    },
  };
}

const EBML = 0x1a45dfa3;
/** Elements whose children are read as if they stood beside them: their ends need not be known, nor their sizes. */
const OPENED = new Set([0x18538067, 0x1549a966, 0x1654ae6b, 0xae, 0x1f43b675, 0xa0]);

function* readElements(state: State): ByteProgram {
  // The caller has seen the first element's id.
  let id = EBML;
  for (;;) {
    const size = yield* readNumber(false);
    if (id === 0xae) state.track = { number: 0, type: 0, codec: '' };
    if (!OPENED.has(id)) yield* readElement(state, id, size);
    id = yield* readNumber(true);
  }
}

function* readElement(state: State, id: number, size: number): ByteProgram {
  if (id === 0xa3 || id === 0xa1) {
    yield* readBlock(state, size);
    return;
  }
  const isRead = id === 0x2ad7b1 || id === 0xe7 || id === 0xd7 || id === 0x83 || id === 0x86;
  if (!isRead || size > 64 || size === 0) {
    yield { skip: size };
    return;
  }
  const body = Buffer.from(yield { take: size });
  const value = body.reduce((sum, byte) => sum * 256 + byte, 0);
  if (id === 0x2ad7b1) state.scale = value;
  else if (id === 0xe7) state.clusterTime = value;
  else if (id === 0xd7) state.track.number = value;
  else if (id === 0x83) state.track.type = value;
  else state.track.codec = body.toString('latin1');
  const { number, type, codec } = state.track;
  if (type === 2 && number > 0 && codec !== '') state.audio ??= { number, isOpus: codec.startsWith('A_OPUS') };
}

function* readBlock(state: State, size: number): ByteProgram {
  const track = yield* readNumber(false);
  const start = Buffer.from(yield { take: 3 });
  const headBytes = track < 0x7f ? 4 : 5;
  const { audio } = state;
  if (audio === undefined || track !== audio.number || size < headBytes + 2) {
    yield { skip: Math.max(0, size - headBytes) };
    return;
  }
  const packet = yield { take: 2 };
  const time = state.clusterTime + start.readInt16BE(0);
  state.firstTime ??= time;
  state.lastTime = Math.max(state.lastTime, time);
  state.audioBytes += size;
  const isLaced = ((start[2] ?? 0) & 0x06) !== 0;
  if (audio.isOpus && !isLaced) state.opusSeconds += opusPacketSeconds(packet[0] ?? 0, packet[1] ?? 0);
  yield { skip: size - headBytes - 2 };
}

/** A variable-length number; `keepMarker` gives an id as it is written. An unknown size is Infinity. */
function* readNumber(keepMarker: boolean): Generator<{ take: number }, number, Uint8Array> {
  const first = (yield { take: 1 })[0] ?? 0;
  const more = Math.clz32(first << 24);
  if (more > 7) return 0;
  let value = keepMarker ? first : first & (0x7f >>> more);
  let isUnknown = (first & (0x7f >>> more)) === 0x7f >>> more;
  const rest = yield { take: more };
  for (const byte of rest) {
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return isUnknown ? Infinity : value;
}
