/**
 * The length of a WAV, RF64 or BW64 file (Microsoft RIFF, EBU Tech 3306, ITU-R BS.2088) by the sample bytes that arrived. A `data`
 * size that is open, or that is followed by no chunk, says nothing: what arrived behind it is sound.
 */
import { wavEncodingOf } from './formats/wav.ts';
import { bufferOf, viewOf, type ByteProgram } from './formats/byte-program.ts';
import type { LengthReader } from './length-reader.ts';
import { mpegLength } from './mpeg-length.ts';
import { isPossibleRate } from './possible-rate.ts';

interface Format {
  readonly bytesPerSecond: number;
  /** Sound comes in whole ones of these. */
  readonly unitBytes: number;
  readonly tag: number;
}

interface State {
  format: Format | undefined;
  /** Where the samples at hand began, and how many of them belong to them; undefined while that is open. */
  dataFrom: number | undefined;
  dataBytes: number | undefined;
  earlierBytes: number;
  mpeg: LengthReader | undefined;
}

export function wavLength(startsAt: number): LengthReader {
  const state: State = {
    format: undefined,
    dataFrom: undefined,
    dataBytes: undefined,
    earlierBytes: 0,
    mpeg: undefined,
  };
  return {
    program: readChunks(state, startsAt),
    seconds: (fileBytes) => {
      if (state.mpeg !== undefined) return state.mpeg.seconds(fileBytes);
      const { format, dataFrom, dataBytes = Infinity, earlierBytes } = state;
      if (format === undefined || dataFrom === undefined) return 0;
      const bytes = earlierBytes + Math.min(dataBytes, Math.max(0, fileBytes - dataFrom));
      return (Math.floor(bytes / format.unitBytes) * format.unitBytes) / format.bytesPerSecond;
    },
  };
}

const LONGEST_FORMAT_BYTES = 40;

function* readChunks(state: State, startsAt: number): ByteProgram {
  yield { take: 8 };
  let at = startsAt + 8;
  let longSize: number | undefined;
  for (;;) {
    const head = bufferOf(yield { take: 8 });
    at += 8;
    const id = head.toString('latin1', 0, 4);
    const size = head.readUInt32LE(4);
    if (state.dataFrom !== undefined && !/^[\x20-\x7e]{4}$/.test(id)) {
      // No chunk follows the samples: the header said less than there is.
      state.dataBytes = undefined;
      yield { skip: Infinity };
    }
    const padded = size + (size & 1);
    if (id === 'ds64' && size >= 16) {
      longSize = Number(viewOf(yield { take: 16 }).getBigUint64(8, true));
      yield { skip: padded - 16 };
    } else if (id === 'fmt ' && size >= 16) {
      const looked = Math.min(size, LONGEST_FORMAT_BYTES);
      const body = Buffer.from(yield { take: looked });
      state.format ??= formatOf(body);
      yield { skip: padded - looked };
    } else if (id === 'data' && state.format !== undefined) {
      const isOpen = size === 0 || size >= 0xfffffff0;
      const dataBytes: number | undefined = isOpen ? longSize : size;
      if (state.dataFrom !== undefined) state.earlierBytes += state.dataBytes ?? 0;
      state.dataFrom = at;
      state.dataBytes = dataBytes === 0 ? undefined : dataBytes;
      if (state.format.tag === MPEG_TAG) {
        state.mpeg = mpegLength(new Uint8Array(0));
        yield* state.mpeg.program;
      }
      const stepped: number = state.dataBytes === undefined ? Infinity : state.dataBytes + (state.dataBytes & 1);
      yield { skip: stepped };
      at += stepped;
      continue;
    } else if (padded > 0) yield { skip: padded };
    at += padded;
  }
}

const MPEG_TAG = 0x55;

function formatOf(body: Buffer): Format | undefined {
  // Its frames say it all, and its writers leave the rest at 0.
  if (body.readUInt16LE(0) === MPEG_TAG) return { bytesPerSecond: 1, unitBytes: 1, tag: MPEG_TAG };
  const encoding = wavEncodingOf(body);
  if (encoding === undefined || !isPossibleRate(encoding.sampleRate)) return undefined;
  const { kind, sampleRate, channels, frameBytes, bytesPerSecond } = encoding;
  const tag = body.readUInt16LE(0);
  if (kind !== 'other') return { bytesPerSecond, unitBytes: frameBytes, tag };
  const samples = samplesOfBlock(tag, frameBytes, channels);
  if (samples > 0) return { bytesPerSecond: (sampleRate * frameBytes) / samples, unitBytes: frameBytes, tag };
  // What the header says is all there is to go by, within what such codecs take.
  return { bytesPerSecond: Math.min(32_000, Math.max(500, bytesPerSecond)), unitBytes: 1, tag };
}

/** Samples in one block of Microsoft's or IMA's ADPCM, or of GSM 06.10; 0 for other codecs. */
function samplesOfBlock(tag: number, blockBytes: number, channels: number): number {
  if (tag === 0x02) return Math.max(0, ((blockBytes - 7 * channels) * 2) / channels + 2);
  if (tag === 0x11) return Math.max(0, ((blockBytes - 4 * channels) * 2) / channels + 1);
  return tag === 0x31 ? 320 : 0;
}
