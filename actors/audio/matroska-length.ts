/**
 * The length of a Matroska or WebM file: of Opus by its packets, of others from the first block's time to the last one's.
 * `Duration` is a claim, absent from what browsers record, and is not read.
 */
import type { ByteProgram } from './formats/byte-program.ts';
import {
  EBML,
  isBlock,
  noFacts,
  OPENED,
  readBlockHead,
  readNumber,
  note,
  type TrackFacts,
} from './formats/matroska.ts';
import { opusPacketSeconds } from './formats/opus.ts';
import type { LengthReader } from './length-reader.ts';

interface State extends TrackFacts {
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
    ...noFacts(),
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
      const facts = ((state.lastTime - (state.firstTime ?? state.lastTime)) * state.scale) / 1e9;
      return Math.max(facts, state.audioBytes / MOST_BYTES_PER_SECOND);
    },
  };
}

function* readElements(state: State): ByteProgram {
  // The caller has seen the first element's id.
  let id = EBML;
  for (;;) {
    const size = (yield* readNumber(false)) ?? 0;
    if (OPENED.has(id)) note(state, id, new Uint8Array(0));
    else yield* readElement(state, id, size);
    id = (yield* readNumber(true)) ?? 0;
  }
}

function* readElement(state: State, id: number, size: number): ByteProgram {
  if (isBlock(id)) {
    yield* readBlock(state, size);
    return;
  }
  if (size > 64 || size === 0) {
    yield { skip: size };
    return;
  }
  note(state, id, Buffer.from(yield { take: size }));
  const { number, type, codec } = state.track;
  if (type === 2 && number > 0 && codec !== '') state.audio ??= { number, isOpus: codec.startsWith('A_OPUS') };
}

function* readBlock(state: State, size: number): ByteProgram {
  const { track = 0, time: timeInCluster, flags } = yield* readBlockHead();
  const headBytes = track < 0x7f ? 4 : 5;
  const { audio } = state;
  if (audio === undefined || track !== audio.number || size < headBytes + 2) {
    yield { skip: Math.max(0, size - headBytes) };
    return;
  }
  const packet = yield { take: 2 };
  const time = state.clusterTime + timeInCluster;
  state.firstTime ??= time;
  state.lastTime = Math.max(state.lastTime, time);
  state.audioBytes += size;
  const isLaced = (flags & 0x06) !== 0;
  if (audio.isOpus && !isLaced) state.opusSeconds += opusPacketSeconds(packet[0] ?? 0, packet[1] ?? 0);
  yield { skip: size - headBytes - 2 };
}
