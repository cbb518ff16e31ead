/** Speech to text as the inference role sees it: engines open recognisers, a recogniser works on one recording at a time. */
import type { Ear } from './ear.ts';

export interface Segment {
  readonly startSeconds: number;
  readonly endSeconds: number;
  readonly text: string;
  /** The model's token ids. */
  readonly tokens: readonly number[];
  /** Mean natural logarithm of the probabilities with which the tokens were chosen; 0 for a segment without any. */
  readonly averageLogProbability: number;
}

export interface Recognition {
  /** The whole text: exactly the deltas, joined. */
  readonly text: string;
  /** What was heard. */
  readonly audioSeconds: number;
  /** What was sent besides and could not be read: damaged stretches. Absent: nothing. */
  readonly lostSeconds?: number;
  readonly segments: readonly Segment[];
}

export interface RecognitionOptions {
  /** Stops the work; the promise then rejects with an `AbortError`. */
  readonly signal: AbortSignal;
  /** Called with each new stretch of text as it is recognised. */
  readonly onDelta?: (delta: string) => void;
  /** One of the engine's languages. */
  readonly language?: string;
  /** It is one stretch of speech, of half a minute at most: nobody has to look for the speech in it. */
  readonly isOneStretch?: boolean;
  /**
   * Called between two pieces, half a minute of sound apart at most, with how much was heard so far. The work goes on when the
   * promise resolves; meanwhile another recording may be handed over.
   */
  readonly onBorder?: (heardSeconds: number) => Promise<void>;
}

export interface Recogniser {
  /**
   * Recognises a recording in FLAC, WAV, mp3 or AAC, or in Opus, Vorbis, AAC or FLAC inside Ogg, Matroska or MP4. The others
   * must be at a border, or have been abandoned at one.
   * @throws VelloError `AUDIO_NOT_RECOGNISED`, `AUDIO_TOO_SHORT`, `AUDIO_TOO_LONG`, `AUDIO_WITHOUT_SPEECH`,
   * `AUDIO_NOT_UNDERSTOOD`; `ENGINE_FAILED` when the recogniser broke down, which `onDeath` tells too, or was closed. After any
   * other error it can work on.
   */
  recognise(file: Uint8Array, options: RecognitionOptions): Promise<Recognition>;
  /** Frees what the recogniser holds; work under way fails with `ENGINE_FAILED`. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Gives up opening. Once open, `close` ends the recogniser. */
  readonly signal: AbortSignal;
  /** Called once if the recogniser breaks down later. A closed one does not die. */
  readonly onDeath: (cause: Error) => void;
}

export interface SpeechEngine {
  /** Metric label and model id. */
  readonly name: string;
  /** ISO 639 codes of the languages it knows; the first is meant where none is named. */
  readonly languages: readonly string[];
  /**
   * A recogniser whose model is loaded and has recognised something already, so that the first caller waits for neither.
   * @throws VelloError `MODEL_UNAVAILABLE`, `ENGINE_FAILED`
   */
  open(options: OpenOptions): Promise<Recogniser>;
  /** What finds the speech in live audio. It opens when it first hears something; `onDeath` as above. */
  openEar(onDeath: OpenOptions['onDeath']): Ear;
}
