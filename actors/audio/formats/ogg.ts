/** Reads Ogg's pages (RFC 3533 §6), and what a stream holds by its first packet. */
import { viewOf } from './byte-program.ts';
import { flacStreamInfoOf } from './flac.ts';

export type OggPageHead = ReturnType<typeof oggPageHeadOf>;

/** By the 23 bytes behind `OggS`; `lacingBytes` follow them. */
export function oggPageHeadOf(bytes: Uint8Array) {
  const view = viewOf(bytes);
  const flags = view.getUint8(1);
  return {
    isContinued: (flags & 1) !== 0,
    isBeginning: (flags & 2) !== 0,
    granule: view.getUint32(2, true) + view.getInt32(6, true) * 2 ** 32,
    serial: view.getUint32(10, true),
    number: view.getUint32(14, true),
    checksum: view.getUint32(18, true),
    lacingBytes: view.getUint8(22),
  };
}

/** The pieces of packets in a page, by their lengths; all but the last are ends of packets. */
export function oggPiecesOf(lacing: Uint8Array): readonly { readonly bytes: number; readonly isWhole: boolean }[] {
  const pieces = [];
  let bytes = 0;
  for (const [index, value] of lacing.entries()) {
    bytes += value;
    const isWhole = value < 255;
    if (!isWhole && index < lacing.length - 1) continue;
    pieces.push({ bytes, isWhole });
    bytes = 0;
  }
  return pieces;
}

export interface OggContent {
  readonly codec: 'opus' | 'vorbis' | 'flac' | 'speex';
  /** Units of granule positions in a second. */
  readonly rate: number;
  /** Samples that one packet can hold at most. */
  readonly packetSamples: number;
}

/** Undefined: no sound, or of another codec. */
export function oggContentOf(firstPacket: Uint8Array): OggContent | undefined {
  const head = Buffer.from(firstPacket.buffer, firstPacket.byteOffset, firstPacket.length);
  const name = head.toString('latin1', 0, 8);
  if (name === 'OpusHead') return { codec: 'opus', rate: 48_000, packetSamples: 5_760 };
  if (name.startsWith('\x01vorbis') && head.length >= 30) {
    return { codec: 'vorbis', rate: head.readUInt32LE(12), packetSamples: 2 ** ((head[28] ?? 0) >>> 4) };
  }
  if (name.startsWith('\x7fFLAC') && head.length >= 51) {
    return { codec: 'flac', rate: flacStreamInfoOf(head.subarray(17)).sampleRate, packetSamples: 65_535 };
  }
  if (name.startsWith('Speex') && head.length >= 64) {
    return { codec: 'speex', rate: head.readUInt32LE(36), packetSamples: 640 * 10 };
  }
  return undefined;
}
