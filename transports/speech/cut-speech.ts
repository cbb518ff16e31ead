/** Cuts a recording, as it comes, into pieces of speech that the model can take, and leaves out what is no speech. */
import { RECOGNITION_RATE } from './codecs/audio-block.ts';
import { VOICE_FRAME_SAMPLES } from './models/silero-model.ts';

/** Seconds since the start of the recording. */
export interface Span {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

export interface SpeechPiece {
  /** One channel at the recognition's rate, at most half a minute, with a little of what lies around the speech. */
  readonly samples: Float32Array;
  /** When somebody speaks; at least one. Pauses lie between them. */
  readonly spans: readonly Span[];
}

export interface SpeechCutter {
  /** Takes the next frame and how probably it is speech. Returns the piece that this completes, if it does. */
  push(frame: Float32Array, probability: number): SpeechPiece | undefined;
  /** From where to where somebody has spoken since the last piece; undefined while nobody has. */
  spoken(): Span | undefined;
  /** The piece that would end here. It goes on all the same. */
  glimpse(): SpeechPiece | undefined;
  /** What is left. What follows is heard as after a silence. */
  end(): SpeechPiece | undefined;
}

/** The model was trained on up to half a minute. */
const LONGEST_PIECE_SECONDS = 30;
/** Silero's own thresholds: speech begins at the one, and lasts until the other is not reached for a while. */
const BEGINS_AT = 0.5;
const ENDS_BELOW = 0.35;
const FRAME_SECONDS = VOICE_FRAME_SAMPLES / RECOGNITION_RATE;
const frames = (seconds: number): number => Math.round(seconds / FRAME_SECONDS);
/** Shorter dips lie between the syllables of one word. */
const endFrames = frames(0.1);
/** Shorter dips are the closures of stop consonants, within a word. */
const DIP_FRAMES = 5;
/** Shorter sounds are no word. */
const shortestFrames = frames(0.12);
/** Kept on both sides: words begin and end more quietly than what is told from noise. */
const marginFrames = frames(0.3);
/** What is said behind a longer silence stands for itself. */
const SILENCE_SECONDS = 2;
const longestFrames = Math.floor(LONGEST_PIECE_SECONDS / FRAME_SECONDS);
/** Even where the only pause comes early, a piece keeps enough context to be understood. */
const shortestPieceFrames = frames(2);

/** Frame indices; `end` is exclusive. */
interface Run {
  readonly start: number;
  readonly end: number;
}

export function createSpeechCutter(silenceSeconds = SILENCE_SECONDS): SpeechCutter {
  const silenceFrames = frames(silenceSeconds);
  let held: Float32Array[] = [];
  /** Whether somebody speaks, for each held frame. */
  let speech: boolean[] = [];
  /** Index of the first held frame in the recording. */
  let firstFrame = 0;
  let heardSamples = 0;
  let isSpeaking = false;
  let quietFrames = 0;

  function judge(probability: number): void {
    quietFrames = probability < ENDS_BELOW ? quietFrames + 1 : 0;
    if (probability >= BEGINS_AT) isSpeaking = true;
    else if (isSpeaking && quietFrames >= endFrames) {
      isSpeaking = false;
      for (let back = 1; back < quietFrames; back++) speech[speech.length - back] = false;
    }
    speech.push(isSpeaking);
  }

  function forget(count: number): void {
    held = held.slice(count);
    speech = speech.slice(count);
    firstFrame += count;
  }

  // The last frame may be shorter.
  const secondsAt = (frame: number): number =>
    Math.min(heardSamples / RECOGNITION_RATE, (firstFrame + frame) * FRAME_SECONDS);
  const spanOf = ({ start, end }: Run): Span => ({ startSeconds: secondsAt(start), endSeconds: secondsAt(end) });
  const wordsIn = (count: number): Run[] =>
    runsOf(speech.slice(0, count), true).filter(({ start, end }) => end - start >= shortestFrames);

  /** The speech in the first `count` frames. */
  function pieceOf(count: number): SpeechPiece | undefined {
    const runs = wordsIn(count);
    const [first, last] = [runs[0], runs.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const kept = held.slice(Math.max(0, first.start - marginFrames), Math.min(count, last.end + marginFrames));
    return { samples: joined(kept), spans: runs.map(spanOf) };
  }

  function take(count: number): SpeechPiece | undefined {
    const piece = pieceOf(count);
    forget(count);
    return piece;
  }

  return {
    push(frame, probability) {
      held.push(frame);
      heardSamples += frame.length;
      judge(probability);
      const silent = speech.length - 1 - speech.lastIndexOf(true);
      if (silent === speech.length) {
        if (silent > marginFrames) forget(silent - marginFrames);
      } else if (silent >= silenceFrames) return take(speech.length - marginFrames);
      else if (speech.length >= longestFrames) return take(cutOf(held, speech));
      return undefined;
    },
    spoken: () => {
      const runs = wordsIn(speech.length);
      const [first, last] = [runs[0], runs.at(-1)];
      return first === undefined || last === undefined ? undefined : spanOf({ start: first.start, end: last.end });
    },
    glimpse: () => pieceOf(speech.length),
    end: () => {
      isSpeaking = false;
      quietFrames = 0;
      return take(speech.length);
    },
  };
}

/** Where to end a piece: the middle of the longest pause of its later two thirds, or where it is quietest. */
function cutOf(held: readonly Float32Array[], speech: readonly boolean[]): number {
  const pauses = runsOf(speech, false).filter(
    ({ start, end }) => start > 0 && middleOf({ start, end }) >= shortestPieceFrames,
  );
  const late = pauses.filter((pause) => middleOf(pause) >= speech.length / 3);
  let best: Run | undefined;
  // Sentences end in longer pauses than phrases do; of equal ones the later gives the longer piece.
  for (const pause of late.length > 0 ? late : pauses) {
    if (best === undefined || pause.end - pause.start >= best.end - best.start) best = pause;
  }
  return best === undefined ? quietestMoment(held) : middleOf(best);
}

const middleOf = ({ start, end }: Run): number => Math.ceil((start + end) / 2);

function runsOf(flags: readonly boolean[], wanted: boolean): Run[] {
  const runs: Run[] = [];
  let start: number | undefined;
  for (let index = 0; index <= flags.length; index++) {
    if (index < flags.length && flags[index] === wanted) start ??= index;
    else if (start !== undefined) {
      runs.push({ start, end: index });
      start = undefined;
    }
  }
  return runs;
}

export function joined(pieces: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The index in the middle of the quietest few frames of the later half. */
function quietestMoment(frames: readonly Float32Array[]): number {
  const energies = frames.map((frame) => frame.reduce((sum, sample) => sum + sample * sample, 0));
  let best = frames.length;
  let lowest = Infinity;
  for (let first = Math.floor(frames.length / 2); first + DIP_FRAMES <= frames.length; first++) {
    const energy = energies.slice(first, first + DIP_FRAMES).reduce((sum, value) => sum + value, 0);
    if (energy < lowest) {
      lowest = energy;
      best = first + Math.ceil(DIP_FRAMES / 2);
    }
  }
  return best;
}
