/** Reads the elements of Matroska and WebM (RFC 9559), which are written in EBML (RFC 8794). */
import { viewOf } from './byte-program.ts';

/** By its first four bytes. */
export const looksLikeMatroska = (file: Uint8Array): boolean => file.length > 3 && viewOf(file).getUint32(0) === EBML;

export const EBML = 0x1a45dfa3;
export const CLUSTER = 0x1f43b675;
export const TRACK = 0xae;
/** Elements whose children are read as if they stood beside them: their ends need not be known, nor their sizes. */
export const OPENED = new Set([0x18538067, 0x1549a966, 0x1654ae6b, TRACK, CLUSTER, 0xa0]);

export const isBlock = (id: number): boolean => id === 0xa3 || id === 0xa1;

/** The index behind the number at `at`, which says its own length; beyond the bytes' end where they end before. */
export function endOfNumber(bytes: Uint8Array, at: number): number {
  const more = Math.clz32((bytes[at] ?? 0) << 24);
  return more > 7 ? at + 1 : at + 1 + more;
}

/** The number at `at`, all of which is there. An id keeps the marker of the length. An unknown size is Infinity; undefined: it is none. */
export function numberAt(bytes: Uint8Array, at: number, keepsMarker: boolean): number | undefined {
  const first = bytes[at] ?? 0;
  const more = Math.clz32(first << 24);
  if (more > 7) return undefined;
  let value = keepsMarker ? first : first & (0x7f >>> more);
  let isUnknown = !keepsMarker && value === 0x7f >>> more;
  for (let next = at + 1; next <= at + more; next++) {
    const byte = bytes[next] ?? 0;
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return isUnknown ? Infinity : value;
}

/** What a block begins with, and the index behind it; `time` counts from the cluster's. Undefined where the bytes end before. */
export function blockHeadAt(bytes: Uint8Array, at: number) {
  const end = endOfNumber(bytes, at) + 3;
  if (end > bytes.length) return undefined;
  const time = (((bytes[end - 3] ?? 0) << 24) >> 16) | (bytes[end - 2] ?? 0);
  return { track: numberAt(bytes, at, false), time, flags: bytes[end - 1] ?? 0, end };
}

/** A film has a few dozen; who names more is read no further. */
export const MOST_TRACKS = 256;

export interface Track {
  number: number;
  type: number;
  codec: string;
  /** What its codec's decoder needs to know first. */
  setup: Uint8Array;
  /** Compressed once more, or encrypted. */
  isEncoded: boolean;
}

/** What the elements that were read say: of the track that was read last, and of time. */
export interface TrackFacts {
  track: Track;
  /** Nanoseconds of one unit of time. */
  scale: number;
  clusterTime: number;
}

const noSetup = new Uint8Array(0);
const newTrack = (): Track => ({ number: 0, type: 0, codec: '', setup: noSetup, isEncoded: false });
export const noFacts = (): TrackFacts => ({ track: newTrack(), scale: 1_000_000, clusterTime: 0 });

/** Keeps what an element says of them. */
export function note(facts: TrackFacts, id: number, body: Uint8Array): void {
  if (id === TRACK) facts.track = newTrack();
  else if (id === 0xd7) facts.track.number = unsignedOf(body);
  else if (id === 0x83) facts.track.type = unsignedOf(body);
  else if (id === 0x86) facts.track.codec = Buffer.from(body.subarray(0, 32)).toString('latin1').replace(/\0+$/, '');
  else if (id === 0x63a2) facts.track.setup = body;
  else if (id === 0x6d80) facts.track.isEncoded = true;
  else if (id === 0x2ad7b1) facts.scale = unsignedOf(body);
  else if (id === 0xe7) facts.clusterTime = unsignedOf(body);
}

const unsignedOf = (body: Uint8Array): number =>
  body.length > 8 ? 0 : body.reduce((value, byte) => value * 256 + byte, 0);
