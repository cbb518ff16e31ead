/** Cuts long speech into pieces the model can take, in its pauses. */

export interface Piece {
  /** Sample indices; `end` is exclusive. Pieces follow one another without gap. */
  readonly start: number;
  readonly end: number;
}

/** The model was trained on up to half a minute. */
export const longestPieceSeconds = 30;
const frameSeconds = 0.02;
/** Shorter dips lie between the syllables of one word: the closure of a stop consonant lasts up to about 0.15 s. */
const pauseSeconds = 0.2;
const pauseFrames = Math.round(pauseSeconds / frameSeconds);
/** A pause is this far below the speech around it. Speech over quiet background noise has 20 dB and more. */
const pauseBelowSpeechDb = 18;
/** Even where the only pause comes early, a piece keeps enough context to be understood. */
const shortestPieceSeconds = 2;

/** The pieces of one channel, in order, none longer than `longestSeconds`. */
export function cutAtPauses(samples: Float32Array, sampleRate: number, longestSeconds = longestPieceSeconds): Piece[] {
  const longest = Math.floor(longestSeconds * sampleRate);
  const pieces: Piece[] = [];
  let start = 0;
  while (samples.length - start > longest) {
    const end = start + cutWithin(samples.subarray(start, start + longest), sampleRate);
    pieces.push({ start, end });
    start = end;
  }
  if (start < samples.length) pieces.push({ start, end: samples.length });
  return pieces;
}

/** Where to end a piece: the middle of the best pause; where there is none, the quietest moment of the later half. */
function cutWithin(samples: Float32Array, sampleRate: number): number {
  const frame = Math.max(1, Math.round(frameSeconds * sampleRate));
  const levels = levelsOf(samples, frame);
  const earliest = Math.ceil((shortestPieceSeconds * sampleRate) / frame);
  const pauses = pausesIn(levels).filter((pause) => middleOf(pause) >= earliest);
  const late = pauses.filter((pause) => middleOf(pause) >= levels.length / 3);
  const best = longestOf(late.length > 0 ? late : pauses);
  return (best === undefined ? quietestFrame(levels, Math.floor(levels.length / 2)) : middleOf(best)) * frame;
}

/** Frame indices; `end` is exclusive. */
type Pause = Piece;
const middleOf = (pause: Pause): number => Math.floor((pause.start + pause.end) / 2);

function pausesIn(levels: Float64Array): Pause[] {
  const loud = [...levels].sort((a, b) => a - b)[Math.floor(levels.length * 0.9)] ?? 0;
  const pauses: Pause[] = [];
  let start: number | undefined;
  for (let index = 0; index <= levels.length; index++) {
    const isQuiet = index < levels.length && (levels[index] ?? 0) < loud - pauseBelowSpeechDb;
    if (isQuiet) start ??= index;
    else if (start !== undefined) {
      if (index - start >= pauseFrames) pauses.push({ start, end: index });
      start = undefined;
    }
  }
  return pauses;
}

/** Sentences end in longer pauses than phrases do; of equal ones the later gives the longer piece. */
function longestOf(pauses: readonly Pause[]): Pause | undefined {
  let longest: Pause | undefined;
  for (const pause of pauses) {
    if (longest === undefined || pause.end - pause.start >= longest.end - longest.start) longest = pause;
  }
  return longest;
}

function levelsOf(samples: Float32Array, frame: number): Float64Array {
  const levels = new Float64Array(Math.floor(samples.length / frame));
  for (let index = 0; index < levels.length; index++) {
    let energy = 1e-10;
    for (let at = index * frame; at < (index + 1) * frame; at++) energy += (samples[at] ?? 0) ** 2;
    levels[index] = 10 * Math.log10(energy / frame);
  }
  return levels;
}

/** Centre of the quietest stretch as long as a pause, at frame `from` or later. */
function quietestFrame(levels: Float64Array, from: number): number {
  let best = levels.length - 1;
  let lowest = Infinity;
  for (let first = from; first + pauseFrames <= levels.length; first++) {
    let energy = 0;
    for (let index = first; index < first + pauseFrames; index++) energy += 10 ** ((levels[index] ?? 0) / 10);
    if (energy < lowest) {
      lowest = energy;
      best = first + Math.floor(pauseFrames / 2);
    }
  }
  return best;
}
