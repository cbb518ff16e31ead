/**
 * The length of a FLAC stream, by the samples of the frames that passed (RFC 9639 §9). STREAMINFO's total is a claim: it only
 * tells whether the last frame, whose end cannot be seen, is whole.
 */
import { viewOf, type ByteProgram } from './formats/byte-program.ts';
import { flacStreamInfoOf, readFlacFrameHeader, type FlacFrameHeader } from './formats/flac.ts';
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
    } else yield { skip: bodyBytes };
  }
  let previous: FlacFrameHeader | undefined;
  for (;;) {
    yield { find: 0xff };
    let second = 0xff;
    while (second === 0xff) second = (yield { take: 1 })[0] ?? 0;
    const frame: FlacFrameHeader | undefined = yield* readFlacFrameHeader(second);
    if (frame === undefined) continue;
    if (!isPossibleRate(state.rate)) state.rate = frame.sampleRate ?? state.rate;
    const hidden = previous === undefined || frame.countsSamples ? 0 : frame.number - previous.number - 1;
    if (previous !== undefined && hidden > 0 && hidden <= MOST_HIDDEN) state.samples += hidden * previous.blockSize;
    state.samples += frame.blockSize;
    state.lastSamples = frame.blockSize;
    previous = frame;
  }
}
