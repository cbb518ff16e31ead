/** Reads the audio packets of an Ogg file (RFC 3533). A page whose checksum fails is left out; the next intact one is found. */
import { oggContentOf, oggPageHeadOf, oggPiecesOf, type OggPageHead } from '../../../actors/audio/formats/ogg.ts';
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

interface Page extends OggPageHead {
  readonly pieces: readonly { readonly bytes: Uint8Array; readonly isWhole: boolean }[];
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
      if (found === undefined) unknown ??= Buffer.from(page.pieces[0]?.bytes ?? []).toString('latin1', 0, 8);
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
    for (const [index, { bytes, isWhole }] of page.pieces.entries()) {
      if (isTornFirst && index === 0) continue;
      if (!isWhole) begun.push(bytes);
      else {
        packets.push(begun.length === 0 ? bytes : Buffer.concat([...begun, bytes]));
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

const HEADER_PACKETS = { opus: 2, vorbis: 3, flac: 1 } as const;

function streamOf({ serial, pieces }: Page): Stream | undefined {
  const content = oggContentOf(pieces[0]?.bytes ?? new Uint8Array(0));
  if (content === undefined || content.codec === 'speex') return undefined;
  const { codec, rate } = content;
  return { serial, codec, rate: Math.max(1, rate), headerPackets: HEADER_PACKETS[codec], headers: [] };
}

function pageAt(file: Uint8Array, at: number): Page | undefined {
  if (at + 27 > file.length || file[at + 4] !== 0) return undefined;
  const head = oggPageHeadOf(file.subarray(at + 4, at + 27));
  let end = at + 27 + head.lacingBytes;
  if (end > file.length) return undefined;
  const pieces = oggPiecesOf(file.subarray(at + 27, end)).map(({ bytes, isWhole }) => {
    end += bytes;
    return { bytes: file.subarray(end - bytes, end), isWhole };
  });
  if (end > file.length || checksum(file, at, end) !== head.checksum) return undefined;
  return { ...head, pieces, end };
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
