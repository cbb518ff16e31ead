/**
 * The length of a Matroska or WebM file: of Opus by its packets, of others from the first block's time to the last one's.
 * `Duration` is a claim, absent from what browsers record, and is not read.
 */
import { viewOf, type ByteProgram } from './formats/byte-program.ts';
import {
  blockHeadAt,
  EBML,
  endOfNumber,
  isBlock,
  noFacts,
  note,
  numberAt,
  OPENED,
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
  const seen = new Uint8Array(4);
  viewOf(seen).setUint32(0, EBML);
  yield { scan: (bytes) => scanElements(state, bytes), seen };
}

const noBody = new Uint8Array(0);

/** The index up to which the bytes were read. */
function scanElements(state: State, bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const sizeAt = endOfNumber(bytes, at);
    const start = sizeAt < bytes.length ? endOfNumber(bytes, sizeAt) : Infinity;
    if (start > bytes.length) return at;
    const size = numberAt(bytes, sizeAt, false) ?? 0;
    const end = endOfElement(state, bytes, numberAt(bytes, at, true) ?? 0, start, size);
    if (end === undefined) return at;
    at = end;
  }
  return at;
}

/** Where the next element begins; undefined where more of this one has to come first. */
function endOfElement(state: State, bytes: Uint8Array, id: number, start: number, size: number): number | undefined {
  if (OPENED.has(id)) {
    note(state, id, noBody);
    return start;
  }
  if (isBlock(id)) return endOfBlock(state, bytes, start, size);
  if (size > 64 || size === 0) return start + size;
  if (start + size > bytes.length) return undefined;
  note(state, id, Buffer.from(bytes.subarray(start, start + size)));
  const { number, type, codec } = state.track;
  if (type === 2 && number > 0 && codec !== '') state.audio ??= { number, isOpus: codec.startsWith('A_OPUS') };
  return start + size;
}

function endOfBlock(state: State, bytes: Uint8Array, start: number, size: number): number | undefined {
  const block = blockHeadAt(bytes, start);
  if (block === undefined) return undefined;
  const { track = 0, time: timeInCluster, flags, end: packetAt } = block;
  const headBytes = track < 0x7f ? 4 : 5;
  const { audio } = state;
  if (audio === undefined || track !== audio.number || size < headBytes + 2) {
    return packetAt + Math.max(0, size - headBytes);
  }
  if (packetAt + 2 > bytes.length) return undefined;
  const time = state.clusterTime + timeInCluster;
  state.firstTime ??= time;
  state.lastTime = Math.max(state.lastTime, time);
  state.audioBytes += size;
  const isLaced = (flags & 0x06) !== 0;
  if (audio.isOpus && !isLaced) state.opusSeconds += opusPacketSeconds(bytes[packetAt] ?? 0, bytes[packetAt + 1] ?? 0);
  return packetAt + size - headBytes;
}
