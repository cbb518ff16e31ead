/** Reads the packets of the first audio track of a Matroska or WebM file (RFC 9559). Behind damage it goes on at the next cluster. */
import { VelloError } from '../../../config/errors.ts';
import { matroskaFrames } from './matroska-lacing.ts';
import type { Codec, StreamEvent } from './packets.ts';
import { xiphLaced } from './xiph-lacing.ts';

export const looksLikeMatroska = (file: Uint8Array): boolean =>
  file.length > 4 && new DataView(file.buffer, file.byteOffset, 4).getUint32(0) === EBML;

const EBML = 0x1a45dfa3;
const CLUSTER = 0x1f43b675;
const TRACK = 0xae;
/** Elements whose children are read as if they stood beside them: their ends need not be known, nor their sizes. */
const OPENED = new Set([0x18538067, 0x1549a966, 0x1654ae6b, TRACK, 0xe1, CLUSTER, 0xa0]);
/** Whatever else may stand between the blocks of a cluster, or between clusters. Behind the first block, the rest is damage. */
const KNOWN = new Set([
  ...[EBML, 0x114d9b74, 0x1c53bb6b, 0x1043a770, 0x1254c367, 0x1941a469, 0xec, 0xbf],
  ...[0xe7, 0xa3, 0xa1, 0x9b, 0x75a2, 0xfb, 0xab, 0xa7, 0x75a1, 0x5854, 0xa4, 0xfa],
]);

interface Track {
  number: number;
  type: number;
  codec: string;
  setup: Uint8Array;
  isEncoded: boolean;
}

/**
 * The stream of the first audio track, and its packets.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no audio track of a known codec.
 */
export function* matroskaPackets(file: Uint8Array): Generator<StreamEvent> {
  const tracks: Track[] = [];
  let chosen: Track | undefined;
  let scale = 1_000_000;
  let clusterTime = 0;
  let isAfterGap = false;
  for (let at = 0; at < file.length;) {
    const element = elementAt(file, at);
    const isDamage =
      element === undefined || (chosen !== undefined && !OPENED.has(element.id) && !KNOWN.has(element.id));
    if (isDamage) {
      at = nextCluster(file, at + 1);
      isAfterGap = true;
      continue;
    }
    const { id, start, end } = element;
    const body = file.subarray(start, Math.min(end, file.length));
    const track = tracks.at(-1);
    at = OPENED.has(id) ? start : end;
    if (id === TRACK) tracks.push({ number: 0, type: 0, codec: '', setup: new Uint8Array(0), isEncoded: false });
    else if (id === 0x2ad7b1) scale = numberOf(body);
    else if (id === 0xe7) clusterTime = numberOf(body);
    else if (track !== undefined && chosen === undefined) describe(track, id, body);
    if (id === CLUSTER && chosen === undefined) {
      chosen = tracks.find(({ type }) => type === 2);
      yield streamOf(chosen);
    }
    if ((id !== 0xa3 && id !== 0xa1) || chosen === undefined) continue;
    if (end > file.length) return;
    const block = blockOf(body);
    if (block?.track !== chosen.number) continue;
    const startSeconds = ((clusterTime + block.time) * scale) / 1e9;
    for (const bytes of matroskaFrames(body, block.flags, block.at)) {
      yield { kind: 'packet', bytes, isAfterGap, startSeconds };
      isAfterGap = false;
    }
  }
  if (chosen === undefined) throw unreadable('holds no sound');
}

function describe(track: Track, id: number, body: Uint8Array): void {
  if (id === 0xd7) track.number = numberOf(body);
  else if (id === 0x83) track.type = numberOf(body);
  else if (id === 0x86) track.codec = Buffer.from(body.subarray(0, 32)).toString('latin1').replace(/\0+$/, '');
  else if (id === 0x63a2) track.setup = body;
  else if (id === 0x6d80) track.isEncoded = true;
}

function streamOf(track: Track | undefined): StreamEvent {
  if (track === undefined) throw unreadable('holds no sound');
  const { codec, setup } = track;
  if (track.isEncoded) throw unreadable('holds sound that is compressed twice or encrypted');
  const start = (codec: Codec, headers: readonly Uint8Array[]): StreamEvent => ({ kind: 'stream', codec, headers });
  if (codec === 'A_OPUS') return start('opus', [setup]);
  if (codec === 'A_AAC') return start('aac', [setup]);
  if (codec === 'A_FLAC') return start('flac', [setup]);
  if (codec === 'A_VORBIS') return start('vorbis', xiphLaced(setup, 1, (setup[0] ?? 0) + 1) ?? []);
  throw unreadable(`holds ${codec.replace(/[^\w/.]/g, '')}, and not Opus, Vorbis, AAC or FLAC`);
}

function blockOf(
  body: Uint8Array,
): { readonly track: number; readonly time: number; readonly flags: number; readonly at: number } | undefined {
  const track = variableNumber(body, 0, false);
  if (track === undefined || track.end + 3 > body.length) return undefined;
  const view = new DataView(body.buffer, body.byteOffset + track.end, 3);
  return { track: track.value, time: view.getInt16(0), flags: view.getUint8(2), at: track.end + 3 };
}

function elementAt(file: Uint8Array, at: number): { id: number; start: number; end: number } | undefined {
  const id = variableNumber(file, at, true);
  const size = id === undefined || id.end - at > 4 ? undefined : variableNumber(file, id.end, false);
  if (id === undefined || size === undefined) return undefined;
  return { id: id.value, start: size.end, end: size.end + size.value };
}

/** A number that says its own length, at `at`; an id keeps the marker of the length. A size that is unknown is Infinity. */
function variableNumber(
  bytes: Uint8Array,
  at: number,
  keepsMarker: boolean,
): { readonly value: number; readonly end: number } | undefined {
  const first = bytes[at] ?? 0;
  const length = Math.clz32(first << 24) + 1;
  if (length > 8 || at + length > bytes.length) return undefined;
  let value = keepsMarker ? first : first & (0xff >> length);
  let isUnknown = (first | (0x100 - (0x100 >> (length - 1)))) === 0xff && (first & (0xff >> length)) === 0xff >> length;
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index] ?? 0;
    isUnknown &&= byte === 0xff;
    value = value * 256 + byte;
  }
  return { value: isUnknown && !keepsMarker ? Infinity : value, end: at + length };
}

const numberOf = (body: Uint8Array): number =>
  body.length > 8 ? 0 : body.reduce((value, byte) => value * 256 + byte, 0);

function nextCluster(file: Uint8Array, from: number): number {
  const at = Buffer.from(file.buffer, file.byteOffset, file.length).indexOf('\x1f\x43\xb6\x75', from, 'latin1');
  return at < 0 ? file.length : at;
}

const unreadable = (what: string): VelloError => new VelloError('AUDIO_NOT_RECOGNISED', `The Matroska file ${what}.`);
