/**
 * The length of an Ogg file (RFC 3533): of Opus by its packets, of others by granule positions, which may not run ahead of
 * what the packets of a page can hold.
 */
import { viewOf, type ByteProgram } from './byte-program.ts';
import type { LengthReader } from './length-reader.ts';
import { opusPacketSeconds } from './opus-packet.ts';
import { isPossibleRate } from './possible-rate.ts';

interface Stream {
  readonly serial: number;
  readonly codec: 'opus' | 'granules';
  readonly rate: number;
  /** Samples that one packet can hold at most. */
  readonly packetSamples: number;
  granule: number;
}

export function oggLength(): LengthReader {
  const state = { seconds: 0 };
  return { program: readPages(state), seconds: () => state.seconds };
}

function* readPages(state: { seconds: number }): ByteProgram {
  let stream: Stream | undefined;
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst) yield* findPage();
    const head = viewOf(yield { take: 23 });
    const isBeginning = (head.getUint8(1) & 2) === 2;
    const isContinued = (head.getUint8(1) & 1) === 1;
    const granule = head.getUint32(2, true) + head.getInt32(6, true) * 2 ** 32;
    const serial = head.getUint32(10, true);
    const lacing = Uint8Array.from(yield { take: head.getUint8(22) });
    const packets = packetsOf(lacing);
    if (isBeginning) {
      const found: Stream | undefined = yield* readBeginning(serial, packets);
      // The first audio stream is measured; a picture beside it is not. A chained one follows when the first is over.
      if (found !== undefined) stream = found;
    } else if (stream === undefined || serial !== stream.serial) {
      for (const { bytes } of packets) yield { skip: bytes };
    } else if (stream.codec === 'opus') {
      for (const [index, { bytes }] of packets.entries()) {
        const isNew = index > 0 || !isContinued;
        state.seconds += yield* readOpusPacket(isNew ? bytes : 0);
        if (!isNew) yield { skip: bytes };
      }
    } else {
      for (const { bytes } of packets) yield { skip: bytes };
      const complete = packets.filter(({ isWhole }) => isWhole).length;
      if (granule > stream.granule) {
        state.seconds += Math.min(granule - stream.granule, complete * stream.packetSamples) / stream.rate;
        stream.granule = granule;
      }
    }
  }
}

/** Behind `OggS`, wherever the next one is. */
function* findPage(): ByteProgram {
  for (let matched = 0; matched < 4;) {
    const byte = (yield { take: 1 })[0];
    matched = byte === 'OggS'.charCodeAt(matched) ? matched + 1 : byte === 0x4f ? 1 : 0;
    if (matched === 0) {
      yield { find: 0x4f };
      matched = 1;
    }
  }
}

function packetsOf(lacing: Uint8Array): { readonly bytes: number; readonly isWhole: boolean }[] {
  const packets: { bytes: number; isWhole: boolean }[] = [];
  let bytes = 0;
  for (const [index, value] of lacing.entries()) {
    bytes += value;
    const isWhole = value < 255;
    if (!isWhole && index < lacing.length - 1) continue;
    packets.push({ bytes, isWhole });
    bytes = 0;
  }
  return packets;
}

/** Opus' two header packets begin with `Opus`; no packet of audio that is 8 bytes or longer need be mistaken for one. */
function* readOpusPacket(bytes: number): Generator<{ take: number } | { skip: number }, number, Uint8Array> {
  if (bytes === 0) return 0;
  const looked = Math.min(bytes, 8);
  const start = Buffer.from(yield { take: looked });
  yield { skip: bytes - looked };
  return start.toString('latin1') === 'OpusTags' ? 0 : opusPacketSeconds(start[0] ?? 0, start[1] ?? 0);
}

function* readBeginning(
  serial: number,
  packets: readonly { readonly bytes: number }[],
): Generator<{ take: number } | { skip: number }, Stream | undefined, Uint8Array> {
  let stream: Stream | undefined;
  for (const { bytes } of packets) {
    const looked = Math.min(bytes, 64);
    const start = Buffer.from(yield { take: looked });
    stream ??= streamOf(serial, start);
    yield { skip: bytes - looked };
  }
  return stream;
}

function streamOf(serial: number, header: Buffer): Stream | undefined {
  const name = header.toString('latin1', 0, 9);
  if (name.startsWith('OpusHead')) return { serial, codec: 'opus', rate: 48_000, packetSamples: 5_760, granule: 0 };
  const granules = (rate: number, packetSamples: number): Stream | undefined =>
    isPossibleRate(rate) ? { serial, codec: 'granules', rate, packetSamples, granule: 0 } : undefined;
  if (name.startsWith('\x01vorbis') && header.length >= 30) {
    return granules(header.readUInt32LE(12), 2 ** ((header[28] ?? 0) >>> 4));
  }
  if (name.startsWith('\x7fFLAC') && header.length >= 51) return granules(header.readUInt32BE(27) >>> 12, 65_535);
  if (name.startsWith('Speex') && header.length >= 64) return granules(header.readUInt32LE(36), 640 * 10);
  return undefined;
}
