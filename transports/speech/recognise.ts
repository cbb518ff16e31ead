/** One recording from its bytes to its text: decode, find the speech, recognise it piece by piece. Runs on a thread of its own. */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { Recognition, Segment } from '../../actors/inference/speech-engine.ts';
import { RECOGNITION_RATE } from './codecs/audio-block.ts';
import { createSpeechCutter, joined, type SpeechPiece } from './cut-speech.ts';
import { decodeAudio } from './decode-audio.ts';
import { isIntelligible, type JudgedText } from './intelligibility.ts';
import { createIncrementalText } from './incremental-text.ts';
import type { MoonshineModel } from './models/moonshine-model.ts';
import { VOICE_FRAME_SAMPLES, type VoiceModel } from './models/silero-model.ts';
import { subtitleSegments, type TimelessToken } from './subtitle-segments.ts';

export interface RecognitionModels {
  /** Absent where the recording is one stretch of speech. */
  readonly voice: VoiceModel | undefined;
  readonly words: MoonshineModel;
}

export interface RecogniseHooks {
  readonly onDelta: (delta: string) => void;
  /** Called at every step, whether or not it yields text: a sign of life. */
  readonly onStep: () => void;
  readonly isAborted: () => boolean;
  /** Called between two pieces with how much was heard so far; the work goes on when the promise resolves. */
  readonly border: (heardSeconds: number) => Promise<void>;
}

/** Three seconds' worth: mostly enough to tell made-up text by, so that a stream need not wait for the whole piece. */
const TELLING_TOKENS = 10;
/** What the model takes at once, with what lies around the speech. */
const LONGEST_STRETCH_SECONDS = 31;
/** Where nobody speaks there are no pieces; borders come all the same, after this much. */
const BORDER_SECONDS = 30;

/**
 * The text of what was said. Deltas begin once some of it was understood, so that no made-up word goes out before the refusal.
 * @throws VelloError as `decodeAudio` does; `AUDIO_WITHOUT_SPEECH`; `AUDIO_NOT_UNDERSTOOD` where the text is made up
 * @throws DOMException `AbortError` once `isAborted` says so
 */
export async function recognise(
  models: RecognitionModels,
  file: Uint8Array,
  hooks: RecogniseHooks,
): Promise<Recognition> {
  const heard = { seconds: 0, lostSeconds: 0 };
  const judged: JudgedText[] = [];
  const segments: Segment[] = [];
  const told = { whole: '', held: '', isUnderstood: false };
  const pieces =
    models.voice === undefined ? oneStretch(file, heard, hooks) : speechIn(file, models.voice, heard, hooks);
  for await (const piece of pieces) {
    const tokens: TimelessToken[] = [];
    const textBefore = told.whole.length;
    const release = () => {
      if (told.isUnderstood || !isIntelligible([...judged, judgedOf(tokens)])) return;
      told.isUnderstood = true;
      if (told.held !== '') hooks.onDelta(told.held);
    };
    for await (const token of tokensOf(models.words, piece, hooks)) {
      tokens.push(token);
      if (token.text !== '') {
        const delta = told.whole.length === textBefore && textBefore > 0 ? ` ${token.text}` : token.text;
        told.whole += delta;
        if (told.isUnderstood) hooks.onDelta(delta);
        else told.held += delta;
      }
      if (tokens.length === TELLING_TOKENS) release();
    }
    if (told.whole.length === textBefore) continue;
    release();
    judged.push(judgedOf(tokens));
    segments.push(...subtitleSegments(piece.spans, tokens));
  }
  if (segments.length === 0) throw new VelloError('AUDIO_WITHOUT_SPEECH');
  if (!isIntelligible(judged)) throw new VelloError('AUDIO_NOT_UNDERSTOOD');
  const lost = heard.lostSeconds > 0 ? { lostSeconds: heard.lostSeconds } : {};
  return { text: told.whole, audioSeconds: heard.seconds, ...lost, segments };
}

/** The whole recording. */
async function* oneStretch(
  file: Uint8Array,
  heard: { seconds: number },
  hooks: RecogniseHooks,
): AsyncGenerator<SpeechPiece> {
  const blocks: Float32Array[] = [];
  for await (const { samples } of decodeAudio(file, LONGEST_STRETCH_SECONDS)) blocks.push(samples);
  step(hooks);
  const samples = joined(blocks);
  heard.seconds = samples.length / RECOGNITION_RATE;
  yield { samples, spans: [{ startSeconds: 0, endSeconds: heard.seconds }] };
}

/** The speech of the recording, as it is decoded. `heard` grows meanwhile. */
async function* speechIn(
  file: Uint8Array,
  voice: VoiceModel,
  heard: { seconds: number; lostSeconds: number },
  hooks: RecogniseHooks,
): AsyncGenerator<SpeechPiece> {
  const probabilityOf = voice.listen();
  const cutter = createSpeechCutter();
  let heardSamples = 0;
  let borderAtSeconds = 0;
  let frame = new Float32Array(VOICE_FRAME_SAMPLES);
  let filled = 0;
  const border = async () => {
    borderAtSeconds = heard.seconds;
    await hooks.border(heard.seconds);
    step(hooks);
  };
  for await (const { samples, lostSeconds } of decodeAudio(file, LIMITS.recognition.longestSeconds)) {
    step(hooks);
    heardSamples += samples.length;
    heard.seconds = heardSamples / RECOGNITION_RATE;
    heard.lostSeconds += lostSeconds;
    for (let at = 0; at < samples.length;) {
      const taken = samples.subarray(at, at + VOICE_FRAME_SAMPLES - filled);
      frame.set(taken, filled);
      filled += taken.length;
      at += taken.length;
      if (filled < VOICE_FRAME_SAMPLES) break;
      const piece = cutter.push(frame, await probabilityOf(frame));
      frame = new Float32Array(VOICE_FRAME_SAMPLES);
      filled = 0;
      if (piece === undefined) continue;
      await border();
      yield piece;
    }
    if (heard.seconds - borderAtSeconds >= BORDER_SECONDS) await border();
  }
  const last = frame.slice(0, filled);
  const [whole, rest] = [filled > 0 ? cutter.push(last, await probabilityOf(last)) : undefined, cutter.end()];
  for (const piece of [whole, rest]) {
    if (piece === undefined) continue;
    await border();
    yield piece;
  }
}

/** The piece's tokens with the text that each adds. What they held back comes with the last. */
async function* tokensOf(
  words: MoonshineModel,
  { samples }: SpeechPiece,
  hooks: RecogniseHooks,
): AsyncGenerator<TimelessToken> {
  const text = createIncrementalText();
  let previous: TimelessToken | undefined;
  for await (const { id, logProbability } of words.tokens(samples)) {
    step(hooks);
    if (previous !== undefined) yield previous;
    previous = { id, logProbability, text: text.push(id) };
  }
  if (previous !== undefined) yield { ...previous, text: previous.text + text.end() };
}

function step(hooks: RecogniseHooks): void {
  hooks.onStep();
  if (hooks.isAborted()) throw new DOMException('The recognition was abandoned.', 'AbortError');
}

function judgedOf(tokens: readonly TimelessToken[]): JudgedText {
  const sum = tokens.reduce((total, { logProbability }) => total + logProbability, 0);
  return {
    text: tokens.map(({ text }) => text).join(''),
    tokens: tokens.map(({ id }) => id),
    averageLogProbability: sum / Math.max(1, tokens.length),
  };
}
