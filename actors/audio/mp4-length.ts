/**
 * The length of an MP4 or M4A file (ISO 14496-12), whole or in fragments, by the durations of the audio track's samples.
 * Where the file was cut short, in proportion to the media that arrived; where it times its samples too fast, by their size.
 */
import { bufferOf, viewOf, type ByteProgram } from './formats/byte-program.ts';
import { boxHeadAt, fragmentHeadOf, runLayoutOf } from './formats/mp4.ts';
import type { LengthReader } from './length-reader.ts';

interface Track {
  /** Units of time in a second. */
  timescale: number;
  isAudio: boolean;
  number: number;
  units: number;
  bytes: number;
}

interface State {
  tracks: Track[];
  defaultUnits: Map<number, number>;
  fragmentTrack: number;
  fragmentUnits: number;
  mediaArrived: number;
  mediaClaimed: number;
}

/** No codec takes more for sound that is worth compressing. */
const MOST_BYTES_PER_SECOND = 192_000;

/** @param head the first box's size and type, which the caller has taken to recognise the file. */
export function mp4Length(head: Uint8Array): LengthReader {
  const state: State = {
    tracks: [],
    defaultUnits: new Map(),
    fragmentTrack: 0,
    fragmentUnits: 0,
    mediaArrived: 0,
    mediaClaimed: 0,
  };
  return {
    program: readBoxes(head, state),
    seconds: () => {
      const track = state.tracks.find(({ isAudio, timescale, units }) => isAudio && timescale > 0 && units > 0);
      if (track === undefined) return 0;
      const arrived = state.mediaClaimed > 0 ? Math.min(1, state.mediaArrived / state.mediaClaimed) : 0;
      return Math.max(track.units / track.timescale, track.bytes / MOST_BYTES_PER_SECOND) * arrived;
    },
  };
}

/** What is read of a file grows by each: a film has a few dozen, and a file that names more is read no further. */
const MOST_TRACKS = 256;

/** Boxes whose children are read as if they stood beside them. */
const OPENED = new Set(['moov', 'trak', 'mdia', 'minf', 'stbl', 'mvex', 'moof', 'traf']);

function* readBoxes(first: Uint8Array, state: State): ByteProgram {
  for (let head: Buffer = Buffer.from(first); ; head = bufferOf(yield { take: 8 })) {
    let box = boxHeadAt(head, 0);
    if (box !== undefined && box.headBytes > 8) {
      const start = Buffer.from(head);
      box = boxHeadAt(Buffer.concat([start, yield { take: 8 }]), 0);
    }
    const { type = '', bytes = -1 } = box ?? {};
    if (bytes < 0) return;
    if (type === 'mdat') yield* readMedia(state, bytes);
    else if (READ.has(type)) yield* readBox(state, type, bytes);
    else if (!OPENED.has(type)) {
      if (bytes > 0) yield { skip: bytes };
    } else if (type === 'trak') {
      const count = state.tracks.push({ timescale: 0, isAudio: false, number: 0, units: 0, bytes: 0 });
      if (count > MOST_TRACKS) return;
    }
  }
}

const MEDIA_STEP_BYTES = 4_096;

function* readMedia(state: State, bytes: number): ByteProgram {
  state.mediaClaimed += bytes === Infinity ? 0 : bytes;
  for (let left = bytes; left > 0; left -= MEDIA_STEP_BYTES) {
    const step = Math.min(left, MEDIA_STEP_BYTES);
    yield { skip: step };
    state.mediaArrived += step;
    if (bytes === Infinity) state.mediaClaimed += step;
  }
}

/** Longest beginning of a box that is looked at; tables are read entry by entry behind it. */
const LOOK_BYTES = 40;

function* readBox(state: State, type: string, bytes: number): ByteProgram {
  const looked = type === 'stts' || type === 'trun' ? 8 : type === 'stsz' ? 12 : Math.min(bytes, LOOK_BYTES);
  if (bytes < looked || looked < 8) {
    yield { skip: bytes };
    return;
  }
  const box = Buffer.from(yield { take: looked });
  let left = bytes - looked;
  const track = state.tracks.at(-1);
  if (type === 'tkhd' && track !== undefined && looked >= 24) track.number = box.readUInt32BE(box[0] === 1 ? 20 : 12);
  if (type === 'mdhd' && track !== undefined && looked >= 24)
    track.timescale = box.readUInt32BE(box[0] === 1 ? 20 : 12);
  if (type === 'hdlr' && track !== undefined && looked >= 12) track.isAudio = box.toString('latin1', 8, 12) === 'soun';
  if (type === 'trex' && looked >= 16 && state.defaultUnits.size < MOST_TRACKS)
    state.defaultUnits.set(box.readUInt32BE(4), box.readUInt32BE(12));
  if (type === 'tfhd') beginFragment(state, box);
  if (type === 'stts' && track !== undefined) left = yield* readTimes(track, box.readUInt32BE(4), left);
  if (type === 'stsz' && track !== undefined) left = yield* readSizes(track, box, left);
  if (type === 'trun') left = yield* readRun(state, box, left);
  yield { skip: left };
}

const READ = new Set(['tkhd', 'mdhd', 'hdlr', 'trex', 'tfhd', 'stts', 'stsz', 'trun']);

function* readTimes(track: Track, entries: number, bytes: number): ByteProgram<number> {
  let left = bytes;
  for (let entry = 0; entry < entries && left >= 8; entry += 1, left -= 8) {
    const view = viewOf(yield { take: 8 });
    track.units += view.getUint32(0) * view.getUint32(4);
  }
  return left;
}

function* readSizes(track: Track, box: Buffer, bytes: number): ByteProgram<number> {
  const common = box.readUInt32BE(4);
  const count = box.readUInt32BE(8);
  track.bytes += common * count;
  let left = bytes;
  for (let entry = 0; common === 0 && entry < count && left >= 4; entry += 1, left -= 4) {
    track.bytes += viewOf(yield { take: 4 }).getUint32(0);
  }
  return left;
}

function beginFragment(state: State, box: Buffer): void {
  const { track = 0, sampleUnits } = fragmentHeadOf(viewOf(box)) ?? {};
  state.fragmentTrack = track;
  state.fragmentUnits = sampleUnits ?? state.defaultUnits.get(track) ?? 0;
}

function* readRun(state: State, box: Buffer, bytes: number): ByteProgram<number> {
  const { headBytes, entryBytes, unitsAt, bytesAt } = runLayoutOf(box.readUInt32BE(0));
  const count = box.readUInt32BE(4);
  const track = state.tracks.find(({ number }) => number === state.fragmentTrack);
  let left = bytes;
  if (left >= headBytes) {
    yield { take: headBytes };
    left -= headBytes;
  }
  if (unitsAt < 0 && track !== undefined) track.units += count * state.fragmentUnits;
  for (let entry = 0; entryBytes > 0 && entry < count && left >= entryBytes; entry += 1, left -= entryBytes) {
    const view = viewOf(yield { take: entryBytes });
    if (track === undefined) continue;
    if (unitsAt >= 0) track.units += view.getUint32(unitsAt);
    if (bytesAt >= 0) track.bytes += view.getUint32(bytesAt);
  }
  return left;
}
