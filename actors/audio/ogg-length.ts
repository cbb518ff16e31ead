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

const PAGE = Buffer.from('OggS');

function* readPages(state: { seconds: number }): ByteProgram {
  let stream: Stream | undefined;
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst) yield { find: PAGE };
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
        const looked = index > 0 || !isContinued ? Math.min(bytes, 8) : 0;
        const seconds: number = looked > 0 ? opusSecondsOf(yield { take: looked }) : 0;
        if (bytes > looked) yield { skip: bytes - looked };
        state.seconds += seconds;
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

/** Opus' two header packets begin with `Opus`; no packet of audio that is 8 bytes or longer need be mistaken for one. */
const opusSecondsOf = (start: Uint8Array): number =>
  start[0] === 0x4f && Buffer.from(start).toString('latin1') === 'OpusTags'
    ? 0
    : opusPacketSeconds(start[0] ?? 0, start[1] ?? 0);

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
