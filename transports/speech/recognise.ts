/** One recording from its bytes to its text: decode, cut at pauses, recognise piece by piece. Runs on a thread of its own. */
import { VelloError } from '../../config/errors.ts';
import type { Recognition, Segment } from '../../actors/ports/speech-engine.ts';
import { cutAtPauses } from './cut-at-pauses.ts';
import { recognitionRate } from './audio-block.ts';
import { decodeAudio } from './decode-audio.ts';
import { isIntelligible } from './intelligibility.ts';
import { createIncrementalText } from './incremental-text.ts';
import type { MoonshineModel } from './moonshine-model.ts';

export interface RecogniseHooks {
  readonly onDelta: (delta: string) => void;
  /** Called at every step, whether or not it yields text: a sign of life. */
  readonly onStep: () => void;
  readonly isAborted: () => boolean;
}

/** An hour at 16 kHz takes 230 MB of memory. */
export const longestRecordingSeconds = 3600;
/** Three seconds' worth: mostly enough to tell made-up text by, so that a stream need not wait for the whole piece. */
const tellingTokens = 10;
/** Nothing below -60 dB of full scale is speech; the model would make words up. */
const silencePeak = 0.001;

/**
 * The text of what was said. Deltas begin once some of it was understood, so that no made-up word goes out before the refusal.
 * @throws VelloError as `decodeAudio` does; `AUDIO_WITHOUT_SPEECH`; `AUDIO_NOT_UNDERSTOOD` where the text is made up
 * @throws DOMException `AbortError` once `isAborted` says so
 */
export async function recognise(model: MoonshineModel, file: Uint8Array, hooks: RecogniseHooks): Promise<Recognition> {
  const stopIfAborted = () => {
    hooks.onStep();
    if (hooks.isAborted()) throw new DOMException('The recognition was abandoned.', 'AbortError');
  };
  const audio = await decodeAudio(file, { longestSeconds: longestRecordingSeconds, onBlock: stopIfAborted });
  const segments: Segment[] = [];
  let whole = '';
  let held = '';
  let isUnderstood = false;
  for (const { start, end } of cutAtPauses(audio.samples, recognitionRate)) {
    stopIfAborted();
    const samples = audio.samples.slice(start, end);
    if (isSilent(samples)) continue;
    const text = createIncrementalText();
    const tokens: number[] = [];
    const before = whole.length;
    let logProbability = 0;
    const emit = (delta: string) => {
      if (delta === '') return;
      const separated = whole.length === before && before > 0 ? ` ${delta}` : delta;
      whole += separated;
      if (isUnderstood) hooks.onDelta(separated);
      else held += separated;
    };
    const judge = () => ({
      text: whole.slice(before).trimStart(),
      tokens,
      averageLogProbability: logProbability / Math.max(1, tokens.length),
    });
    const release = () => {
      if (isUnderstood || !isIntelligible([...segments, judge()])) return;
      isUnderstood = true;
      if (held !== '') hooks.onDelta(held);
    };
    for await (const token of model.tokens(samples)) {
      stopIfAborted();
      tokens.push(token.id);
      logProbability += token.logProbability;
      emit(text.push(token.id));
      if (tokens.length === tellingTokens) release();
    }
    emit(text.end());
    if (whole.length === before) continue;
    release();
    segments.push({
      startSeconds: start / recognitionRate,
      endSeconds: end / recognitionRate,
      ...judge(),
    });
  }
  if (segments.length === 0) throw new VelloError('AUDIO_WITHOUT_SPEECH');
  if (!isIntelligible(segments)) throw new VelloError('AUDIO_NOT_UNDERSTOOD');
  const lost = audio.lostSeconds > 0 ? { lostSeconds: audio.lostSeconds } : {};
  return { text: whole, audioSeconds: audio.seconds, ...lost, segments };
}

function isSilent(samples: Float32Array): boolean {
  return !samples.some((sample) => Math.abs(sample) > silencePeak);
}
