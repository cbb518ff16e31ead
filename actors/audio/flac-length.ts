/**
 * The length of a FLAC stream, by the samples of the frames that passed (RFC 9639 §9). STREAMINFO's total is a claim: it only
 * tells whether the last frame, whose end cannot be seen, is whole.
 */
import { viewOf, type ByteProgram } from './formats/byte-program.ts';
import { flacFrameHeaderAt, flacStreamInfoOf, MOST_FLAC_HEADER_BYTES, type FlacFrameHeader } from './formats/flac.ts';
import type { LengthReader } from './length-reader.ts';
import { isPossibleRate } from './possible-rate.ts';

/** Frames that a damaged header may hide between two sound ones; what is missing beyond that was not sent. */
const MOST_HIDDEN = 8;

export function flacLength(): LengthReader {
  const state: State = { rate: 0, samples: 0, lastSamples: 0, claimedSamples: 0 };
  return {
    program: readStream(state),
    seconds: () => {
      const { rate, samples, lastSamples, claimedSamples } = state;
      if (!isPossibleRate(rate)) return 0;
      return (claimedSamples > samples ? samples - lastSamples : samples) / rate;
    },
  };
}

interface State {
  rate: number;
  samples: number;
  lastSamples: number;
  claimedSamples: number;
}

function* readStream(state: State): ByteProgram {
  for (let isLast = false; !isLast;) {
    const head = viewOf(yield { take: 4 }).getUint32(0);
    const bodyBytes = head & 0xff_ffff;
    const isStreamInfo = ((head >>> 24) & 0x7f) === 0 && bodyBytes === 34;
    isLast = head >>> 31 === 1;
    if (isStreamInfo) {
      const info = flacStreamInfoOf(yield { take: 34 });
      state.rate = info.sampleRate;
      state.claimedSamples = info.totalSamples;
    } else if (bodyBytes > 0) yield { skip: bodyBytes };
  }
  let previous: FlacFrameHeader | undefined;
  const scan = (bytes: Uint8Array): number => {
    for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at)) {
      const frame = flacFrameHeaderAt(bytes, at);
      if (frame === undefined) {
        const isSync = at + 1 >= bytes.length || ((bytes[at + 1] ?? 0) & 0xfe) === 0xf8;
        if (isSync && at + MOST_FLAC_HEADER_BYTES > bytes.length) return at;
        at += 1;
        continue;
      }
      count(state, frame, previous);
      previous = frame;
      at += frame.bytes;
    }
    return bytes.length;
  };
  yield { scan };
}

function count(state: State, frame: FlacFrameHeader, previous: FlacFrameHeader | undefined): void {
  if (!isPossibleRate(state.rate)) state.rate = frame.sampleRate ?? state.rate;
  const hidden = previous === undefined || frame.countsSamples ? 0 : frame.number - previous.number - 1;
  if (previous !== undefined && hidden > 0 && hidden <= MOST_HIDDEN) state.samples += hidden * previous.blockSize;
  state.samples += frame.blockSize;
  state.lastSamples = frame.blockSize;
}
