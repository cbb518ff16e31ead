/** Reads the elements of Matroska and WebM (RFC 9559), which are written in EBML (RFC 8794). */
import { viewOf, type ByteReader } from './byte-program.ts';

/** By its first four bytes. */
export const looksLikeMatroska = (file: Uint8Array): boolean => file.length > 3 && viewOf(file).getUint32(0) === EBML;

export const EBML = 0x1a45dfa3;
export const CLUSTER = 0x1f43b675;
export const TRACK = 0xae;
/** Elements whose children are read as if they stood beside them: their ends need not be known, nor their sizes. */
export const OPENED = new Set([0x18538067, 0x1549a966, 0x1654ae6b, TRACK, CLUSTER, 0xa0]);

export const isBlock = (id: number): boolean => id === 0xa3 || id === 0xa1;

/** A number that says its own length; an id keeps the marker of the length. An unknown size is Infinity; undefined: it is none. */
export function* readNumber(keepsMarker: boolean): ByteReader<number | undefined> {
  const first = (yield { take: 1 })[0] ?? 0;
  const more = Math.clz32(first << 24);
  if (more > 7) return undefined;
  let value = keepsMarker ? first : first & (0x7f >>> more);
  let isUnknown = !keepsMarker && value === 0x7f >>> more;
  for (const byte of more === 0 ? [] : yield { take: more }) {
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return isUnknown ? Infinity : value;
}

/** The size is that of the content; undefined: it is none. */
export function* readElementHead(): ByteReader<{ id: number; size: number } | undefined> {
  const [id, size] = [yield* readNumber(true), yield* readNumber(false)];
  return id === undefined || size === undefined || id > 0xffffffff ? undefined : { id, size };
}

/** What a block begins with; `time` counts from the cluster's. */
export function* readBlockHead(): ByteReader<{ track: number | undefined; time: number; flags: number }> {
  const track = yield* readNumber(false);
  const rest = viewOf(yield { take: 3 });
  return { track, time: rest.getInt16(0), flags: rest.getUint8(2) };
}

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

const NO_TRACK: Track = { number: 0, type: 0, codec: '', setup: new Uint8Array(0), isEncoded: false };
export const noFacts = (): TrackFacts => ({ track: { ...NO_TRACK }, scale: 1_000_000, clusterTime: 0 });

/** Keeps what an element says of them. */
export function note(facts: TrackFacts, id: number, body: Uint8Array): void {
  if (id === TRACK) facts.track = { ...NO_TRACK };
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
