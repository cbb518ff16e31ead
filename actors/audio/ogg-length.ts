/**
 * The length of an Ogg file (RFC 3533): of Opus by its packets, of others by granule positions, which may not run ahead of
 * what the packets of a page can hold.
 */
import type { ByteProgram } from './formats/byte-program.ts';
import { oggContentOf, oggPageHeadOf, oggPiecesOf, type OggContent } from './formats/ogg.ts';
import { opusPacketSeconds } from './formats/opus.ts';
import type { LengthReader } from './length-reader.ts';
import { isPossibleRate } from './possible-rate.ts';

interface Stream extends OggContent {
  readonly serial: number;
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
    const { isBeginning, isContinued, granule, serial, lacingBytes } = oggPageHeadOf(yield { take: 23 });
    const packets = oggPiecesOf(yield { take: lacingBytes });
    if (isBeginning) {
      const found: Stream | undefined = yield* readBeginning(serial, packets);
      // The first audio stream is measured; a picture beside it is not. A chained one follows when the first is over.
      if (found !== undefined) stream = found;
    } else if (stream === undefined || serial !== stream.serial) {
      yield { skip: packets.reduce((sum, { bytes }) => sum + bytes, 0) };
    } else if (stream.codec === 'opus') {
      for (const [index, { bytes }] of packets.entries()) {
        const isNew = index > 0 || !isContinued;
        state.seconds += yield* readOpusPacket(isNew ? bytes : 0);
        if (!isNew) yield { skip: bytes };
      }
    } else {
      yield { skip: packets.reduce((sum, { bytes }) => sum + bytes, 0) };
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

/** Opus' two header packets begin with `Opus`; no packet of audio that is 8 bytes or longer need be mistaken for one. */
function* readOpusPacket(bytes: number): ByteProgram<number> {
  if (bytes === 0) return 0;
  const looked = Math.min(bytes, 8);
  const start = Buffer.from(yield { take: looked });
  yield { skip: bytes - looked };
  return start.toString('latin1') === 'OpusTags' ? 0 : opusPacketSeconds(start[0] ?? 0, start[1] ?? 0);
}

function* readBeginning(serial: number, packets: ReturnType<typeof oggPiecesOf>): ByteProgram<Stream | undefined> {
  let stream: Stream | undefined;
  for (const { bytes } of packets) {
    const looked = Math.min(bytes, 64);
    const start = Buffer.from(yield { take: looked });
    const content = oggContentOf(start);
    if (content !== undefined && isPossibleRate(content.rate)) stream ??= { ...content, serial, granule: 0 };
    yield { skip: bytes - looked };
  }
  return stream;
}
