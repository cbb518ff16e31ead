/** Reads the packets of the first audio track of an MP4 or M4A file (ISO 14496-12), whole or in fragments. */
import { VelloError } from '../../../config/errors.ts';
import { audioEntryOf } from './mp4-audio-entry.ts';
import { boxesIn, viewOf, type Box } from './mp4-boxes.ts';
import type { StreamEvent, StreamStart } from './packets.ts';

const FIRST_BOXES = new Set(['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'styp']);

export const looksLikeMp4 = (file: Uint8Array): boolean =>
  FIRST_BOXES.has(Buffer.from(file.subarray(4, 8)).toString('latin1'));

interface Track {
  readonly number: number;
  readonly isAudio: boolean;
  /** The boxes of its sample table, by type. */
  readonly table: ReadonlyMap<string, Box>;
}

/**
 * The stream of the first audio track, and its packets. A file that breaks off is read up to where it breaks.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no audio track of a known codec.
 */
export function* mp4Packets(file: Uint8Array): Generator<StreamEvent> {
  const top = [...boxesIn(file, 0, file.length)];
  const movie = top.find(({ type }) => type === 'moov');
  if (movie === undefined) throw unreadable('does not say where its sound lies; its end may be missing');
  const inMovie = [...boxesIn(file, movie.start, movie.end)];
  const track = inMovie
    .filter(({ type }) => type === 'trak')
    .map((trak) => trackOf(file, trak))
    .find(({ isAudio }) => isAudio);
  if (track === undefined) throw unreadable('holds no sound');
  yield streamOf(file, track);
  // No two samples share bytes, so that all together are no longer than the file: tables may say otherwise.
  let leftBytes = file.length;
  const whole = samplesOf(file, track);
  const fragmented = fragmentsOf(file, top, track, inMovie);
  for (const samples of [whole, fragmented]) {
    for (const { at, bytes } of samples) {
      leftBytes -= Math.max(1, bytes);
      if (leftBytes < 0 || at + bytes > file.length) break;
      yield { kind: 'packet', bytes: file.subarray(at, at + bytes), isAfterGap: false };
    }
  }
}

function trackOf(file: Uint8Array, trak: Box): Track {
  const inTrack = deepBoxes(file, trak, ['mdia', 'minf', 'stbl']);
  const [header, handler] = [inTrack.get('tkhd'), inTrack.get('hdlr')];
  const headerView = viewOf(file, header);
  const numberAt = headerView.byteLength > 0 && headerView.getUint8(0) === 1 ? 20 : 12;
  const kind =
    handler === undefined ? '' : Buffer.from(file.subarray(handler.start + 8, handler.start + 12)).toString();
  return {
    number: headerView.byteLength >= numberAt + 4 ? headerView.getUint32(numberAt) : 0,
    isAudio: kind === 'soun',
    table: inTrack,
  };
}

/** The boxes in `outer` and in those of its children that are named, by type; of equal ones the first. */
function deepBoxes(file: Uint8Array, outer: Box, opened: readonly string[]): Map<string, Box> {
  const found = new Map<string, Box>();
  for (const box of boxesIn(file, outer.start, outer.end)) {
    const inner: Iterable<[string, Box]> = opened.includes(box.type)
      ? deepBoxes(file, box, opened)
      : [[box.type, box] as const];
    for (const [type, deep] of inner) if (!found.has(type)) found.set(type, deep);
  }
  return found;
}

function streamOf(file: Uint8Array, track: Track): StreamStart {
  const entry = audioEntryOf(file, track.table.get('stsd'));
  if (entry.stream !== undefined) return entry.stream;
  const name = entry.codec.replace(/[^\w .-]/g, '');
  throw unreadable(`holds ${name === '' ? 'sound of an unknown kind' : name}, and not AAC, Opus or FLAC`);
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** By the sample table: chunks of so many samples each, whose sizes are listed. */
function* samplesOf(file: Uint8Array, { table }: Track): Generator<Sample> {
  const offsets = viewOf(file, table.get('stco') ?? table.get('co64'));
  const isLong = !table.has('stco');
  const [sizes, chunks] = [viewOf(file, table.get('stsz')), viewOf(file, table.get('stsc'))];
  if (offsets.byteLength < 8 || sizes.byteLength < 12 || chunks.byteLength < 8) return;
  const commonBytes = sizes.getUint32(4);
  const count = commonBytes > 0 ? sizes.getUint32(8) : Math.min(sizes.getUint32(8), (sizes.byteLength - 12) / 4);
  const offsetBytes = isLong ? 8 : 4;
  const chunkCount = Math.min(offsets.getUint32(4), Math.floor((offsets.byteLength - 8) / offsetBytes));
  const runCount = Math.min(chunks.getUint32(4), Math.floor((chunks.byteLength - 8) / 12));
  let sample = 0;
  let run = 0;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    while (run + 1 < runCount && chunks.getUint32(8 + (run + 1) * 12) <= chunk + 1) run++;
    const inChunk = runCount === 0 ? 0 : chunks.getUint32(12 + run * 12);
    let at = isLong ? Number(offsets.getBigUint64(8 + chunk * 8)) : offsets.getUint32(8 + chunk * 4);
    for (let index = 0; index < inChunk && sample < count; index++, sample++) {
      const bytes = commonBytes > 0 ? commonBytes : sizes.getUint32(12 + sample * 4);
      yield { at, bytes };
      at += bytes;
    }
  }
}

/** By the fragments: each lists the samples of its runs. */
function* fragmentsOf(file: Uint8Array, top: readonly Box[], track: Track, inMovie: readonly Box[]): Generator<Sample> {
  const defaultBytes = defaultBytesOf(file, track, inMovie);
  for (const fragment of top) {
    if (fragment.type !== 'moof') continue;
    for (const part of boxesIn(file, fragment.start, fragment.end)) {
      if (part.type === 'traf') yield* runsOf(file, fragment, part, track, defaultBytes);
    }
  }
}

function defaultBytesOf(file: Uint8Array, track: Track, inMovie: readonly Box[]): number {
  const extends_ = inMovie.find(({ type }) => type === 'mvex');
  if (extends_ === undefined) return 0;
  for (const box of boxesIn(file, extends_.start, extends_.end)) {
    const view = viewOf(file, box);
    if (box.type === 'trex' && view.byteLength >= 20 && view.getUint32(4) === track.number) return view.getUint32(16);
  }
  return 0;
}

function* runsOf(file: Uint8Array, moof: Box, part: Box, track: Track, defaultBytes: number): Generator<Sample> {
  const boxes = [...boxesIn(file, part.start, part.end)];
  const header = viewOf(
    file,
    boxes.find(({ type }) => type === 'tfhd'),
  );
  if (header.byteLength < 8 || header.getUint32(4) !== track.number) return;
  const fields = fieldsFrom(header, 8);
  const flags = header.getUint32(0);
  const base = (flags & 0x1) !== 0 ? fields.long() : moof.at;
  if ((flags & 0x2) !== 0) fields.word();
  if ((flags & 0x8) !== 0) fields.word();
  const usualBytes = (flags & 0x10) !== 0 ? fields.word() : defaultBytes;
  let at = base;
  for (const box of boxes) {
    const run = viewOf(file, box);
    if (box.type !== 'trun' || run.byteLength < 8) continue;
    const runFlags = run.getUint32(0);
    const entries = fieldsFrom(run, 8);
    if ((runFlags & 0x1) !== 0) at = base + (entries.word() | 0);
    if ((runFlags & 0x4) !== 0) entries.word();
    for (let left = run.getUint32(4); left > 0 && !entries.isPastEnd(); left--) {
      if ((runFlags & 0x100) !== 0) entries.word();
      const bytes = (runFlags & 0x200) !== 0 ? entries.word() : usualBytes;
      if ((runFlags & 0x400) !== 0) entries.word();
      if ((runFlags & 0x800) !== 0) entries.word();
      if (!entries.isPastEnd() && at >= 0) yield { at, bytes };
      at += bytes;
    }
  }
}

/** Reads one number after another; past the end it reads zeros and says so. */
function fieldsFrom(view: DataView, from: number) {
  let at = from;
  const word = (): number => {
    at += 4;
    return at <= view.byteLength ? view.getUint32(at - 4) : 0;
  };
  return { word, long: (): number => word() * 2 ** 32 + word(), isPastEnd: () => at > view.byteLength };
}

const unreadable = (what: string): VelloError => new VelloError('AUDIO_NOT_RECOGNISED', `The MP4 file ${what}.`);
