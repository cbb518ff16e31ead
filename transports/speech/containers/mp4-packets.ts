/** Reads the packets of the first audio track of an MP4 or M4A file (ISO 14496-12), whole or in fragments. */
import { boxesIn, contentOf, fragmentHeadOf, runLayoutOf, type Box } from '../../../actors/audio/formats/mp4.ts';
import { VelloError } from '../../../config/errors.ts';
import { audioEntryOf } from './mp4-audio-entry.ts';
import type { StreamEvent, StreamStart } from './packets.ts';

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
  const [header, handler] = [contentOf(file, inTrack.get('tkhd')), inTrack.get('hdlr')];
  const numberAt = header.byteLength > 0 && header.getUint8(0) === 1 ? 20 : 12;
  const kind =
    handler === undefined ? '' : Buffer.from(file.subarray(handler.start + 8, handler.start + 12)).toString();
  return {
    number: header.byteLength >= numberAt + 4 ? header.getUint32(numberAt) : 0,
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
  const offsets = contentOf(file, table.get('stco') ?? table.get('co64'));
  const isLong = !table.has('stco');
  const [sizes, chunks] = [contentOf(file, table.get('stsz')), contentOf(file, table.get('stsc'))];
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
    const view = contentOf(file, box);
    if (box.type === 'trex' && view.byteLength >= 20 && view.getUint32(4) === track.number) return view.getUint32(16);
  }
  return 0;
}

function* runsOf(file: Uint8Array, moof: Box, part: Box, track: Track, defaultBytes: number): Generator<Sample> {
  const boxes = [...boxesIn(file, part.start, part.end)];
  const header = boxes.find(({ type }) => type === 'tfhd');
  const head = fragmentHeadOf(contentOf(file, header));
  if (head?.track !== track.number) return;
  const base = head.base ?? moof.at;
  let at = base;
  for (const box of boxes) {
    const run = contentOf(file, box);
    if (box.type !== 'trun' || run.byteLength < 8) continue;
    const flags = run.getUint32(0);
    const { headBytes, entryBytes, bytesAt } = runLayoutOf(flags);
    if ((flags & 1) !== 0 && run.byteLength >= 12) at = base + run.getInt32(8);
    let entryAt = 8 + headBytes;
    for (let left = run.getUint32(4); left > 0 && entryAt + entryBytes <= run.byteLength; left--) {
      const bytes = bytesAt < 0 ? (head.sampleBytes ?? defaultBytes) : run.getUint32(entryAt + bytesAt);
      if (at >= 0) yield { at, bytes };
      at += bytes;
      entryAt += entryBytes;
    }
  }
}

const unreadable = (what: string): VelloError => new VelloError('AUDIO_NOT_RECOGNISED', `The MP4 file ${what}.`);
