/** Reads the audio packets of an Ogg file (RFC 3533). A page whose checksum fails is left out; the next intact one is found. */
import { VelloError } from '../../../config/errors.ts';
import type { Codec, StreamEvent } from './packets.ts';

export const looksLikeOgg = (file: Uint8Array): boolean => isPage(file, 0);

interface Stream {
  readonly serial: number;
  readonly codec: Codec;
  /** Units of granule positions in a second. */
  readonly rate: number;
  /** Header packets still to come; the last of FLAC says so itself. */
  readonly headerPackets: number;
  readonly headers: Uint8Array[];
}

interface Page {
  readonly isContinued: boolean;
  readonly isBeginning: boolean;
  readonly granule: number;
  readonly serial: number;
  readonly number: number;
  /** The pieces of packets in it; all but the last are ends of packets. */
  readonly pieces: readonly Uint8Array[];
  readonly lastIsWhole: boolean;
  /** Index of the byte behind it. */
  readonly end: number;
}

/**
 * The first audio stream, and those that are chained behind it. Other streams, such as pictures, are left out.
 * @throws VelloError `AUDIO_NOT_RECOGNISED` where there is no stream of a known codec.
 */
export function* oggPackets(file: Uint8Array): Generator<StreamEvent> {
  let stream: Stream | undefined;
  let unknown: string | undefined;
  let begun: Uint8Array[] = [];
  let nextNumber = 0;
  let isAfterGap = false;
  for (let at = nextPage(file, 0); at < file.length;) {
    const page = pageAt(file, at);
    if (page === undefined) {
      at = nextPage(file, at + 1);
      continue;
    }
    at = isPage(file, page.end) ? page.end : nextPage(file, page.end);
    if (page.isBeginning) {
      const found = streamOf(page);
      if (found === undefined) unknown ??= Buffer.from(page.pieces[0] ?? []).toString('latin1', 0, 8);
      // Until the first has packets of its own, a second one is another track of the same recording.
      const isChained = stream !== undefined && stream.headers.length >= stream.headerPackets;
      if (found === undefined || (stream !== undefined && !isChained)) continue;
      [stream, nextNumber, begun, isAfterGap] = [found, page.number, [], false];
    }
    if (page.serial !== stream?.serial) continue;
    if (page.number !== nextNumber || page.isContinued !== begun.length > 0) {
      isAfterGap ||= page.number !== nextNumber;
      begun = [];
    }
    nextNumber = page.number + 1;
    const isTornFirst = page.isContinued && begun.length === 0;
    const packets: Uint8Array[] = [];
    for (const [index, piece] of page.pieces.entries()) {
      if (isTornFirst && index === 0) continue;
      const isWhole = index < page.pieces.length - 1 || page.lastIsWhole;
      if (!isWhole) begun.push(piece);
      else {
        packets.push(begun.length === 0 ? piece : Buffer.concat([...begun, piece]));
        begun = [];
      }
    }
    for (const [index, bytes] of packets.entries()) {
      if (stream.headers.length < stream.headerPackets) {
        stream.headers.push(bytes);
        if (stream.headers.length === stream.headerPackets) {
          yield { kind: 'stream', codec: stream.codec, headers: stream.headers };
        }
        continue;
      }
      if (stream.codec === 'flac' && bytes[0] !== 0xff) continue;
      const isLast = index === packets.length - 1 && page.granule > 0;
      const end = isLast ? { endSeconds: page.granule / stream.rate } : {};
      yield { kind: 'packet', bytes, isAfterGap, ...end };
      isAfterGap = false;
    }
  }
  if (stream === undefined) throw noStream(unknown);
}

function noStream(unknown: string | undefined): VelloError {
  const name = unknown?.replace(/[^a-zA-Z0-9]/g, '') ?? '';
  const found = name === '' ? '' : `, but ${name}`;
  return new VelloError('AUDIO_NOT_RECOGNISED', `The Ogg file holds no Opus, Vorbis or FLAC stream${found}.`);
}

function streamOf(page: Page): Stream | undefined {
  const head = Buffer.from(page.pieces[0] ?? []);
  const { serial } = page;
  const name = head.toString('latin1', 0, 8);
  if (name === 'OpusHead') return { serial, codec: 'opus', rate: 48_000, headerPackets: 2, headers: [] };
  if (name.startsWith('\x01vorbis') && head.length >= 30) {
    return { serial, codec: 'vorbis', rate: Math.max(1, head.readUInt32LE(12)), headerPackets: 3, headers: [] };
  }
  if (name.startsWith('\x7fFLAC') && head.length >= 51) {
    return { serial, codec: 'flac', rate: Math.max(1, head.readUInt32BE(27) >>> 12), headerPackets: 1, headers: [] };
  }
  return undefined;
}

function pageAt(file: Uint8Array, at: number): Page | undefined {
  if (at + 27 > file.length) return undefined;
  const view = new DataView(file.buffer, file.byteOffset + at, file.length - at);
  const segments = view.getUint8(26);
  const bodyAt = 27 + segments;
  if (view.getUint8(4) !== 0 || at + bodyAt > file.length) return undefined;
  const pieces: Uint8Array[] = [];
  let end = at + bodyAt;
  let start = end;
  let lastIsWhole = true;
  for (let segment = 0; segment < segments; segment++) {
    const bytes = view.getUint8(27 + segment);
    end += bytes;
    lastIsWhole = bytes < 255;
    if (!lastIsWhole && segment < segments - 1) continue;
    pieces.push(file.subarray(start, end));
    start = end;
  }
  if (end > file.length || checksum(file, at, end) !== view.getUint32(22, true)) return undefined;
  const flags = view.getUint8(5);
  return {
    isContinued: (flags & 1) !== 0,
    isBeginning: (flags & 2) !== 0,
    granule: view.getUint32(6, true) + view.getInt32(10, true) * 2 ** 32,
    serial: view.getUint32(14, true),
    number: view.getUint32(18, true),
    ...{ pieces, lastIsWhole, end },
  };
}

const isPage = (file: Uint8Array, at: number): boolean =>
  file[at] === 0x4f && file[at + 1] === 0x67 && file[at + 2] === 0x67 && file[at + 3] === 0x53;

function nextPage(file: Uint8Array, from: number): number {
  for (let at = file.indexOf(0x4f, from); at >= 0; at = file.indexOf(0x4f, at + 1)) if (isPage(file, at)) return at;
  return file.length;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** Over the whole page with the checksum's own bytes as zeros. */
function checksum(file: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) {
    const byte = at >= from + 22 && at < from + 26 ? 0 : (file[at] ?? 0);
    crc = (crc << 8) ^ (crcTable[(crc >>> 24) ^ byte] ?? 0);
  }
  return crc >>> 0;
}
