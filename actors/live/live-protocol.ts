/** What travels over the socket of a live transcription, both ways (contract §4), and what its audio may be. Types and numbers only. */

export const LIVE_CODECS = ['pcm16', 'opus'] as const;

/** Hz. */
export const PCM_RATES = [8_000, 16_000, 24_000, 44_100, 48_000] as const;

/** One channel: signed 16-bit samples, little-endian, or one Opus packet a frame. */
export type LiveFormat =
  { readonly codec: 'pcm16'; readonly rate: (typeof PCM_RATES)[number] } | { readonly codec: 'opus' };

/** First on every socket. */
export interface LiveReady {
  readonly type: 'ready';
  /** With it the same transcription goes on over another socket. */
  readonly live_id: string;
  readonly session_id: string;
  /** Frames and messages of the desktop that were passed on, over all sockets: from there it goes on. */
  readonly heard: number;
  readonly resume_within_ms: number;
  /** So many bytes may a desktop be ahead of what was heard. */
  readonly window_bytes: number;
}

export interface LiveHeard {
  readonly type: 'heard';
  /** As in `ready`. */
  readonly messages: number;
}

/** What is being said: the text of an item so far, which its `final` replaces. */
export interface LivePartial {
  readonly type: 'partial';
  readonly item: number;
  /** Character of the item's text at which this text stands, in the place of all that stood there and behind it. */
  readonly at: number;
  readonly text: string;
}

export interface LiveFinal {
  readonly type: 'final';
  /** Grows by one with every final. */
  readonly seq: number;
  /** Its place among the others: what was said later has a greater one, though its text may come earlier. */
  readonly item: number;
  readonly text: string;
  /** Where it lies in the audio, as far as the provider says. */
  readonly start_ms?: number;
  readonly end_ms?: number;
  /** Why this stretch has no text. */
  readonly error?: string;
}

/** Everything was said. The desktop closes the socket. */
export interface LiveEnd {
  readonly type: 'end';
  /** What ended it: the desktop, a long silence of it, the longest time that there is, or a gateway that stops. */
  readonly reason: 'asked' | 'quiet' | 'time' | 'restart';
  readonly audio_seconds: number;
}

/** The transcription failed, and the socket closes. */
export interface LiveError {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  /** Whether another one may succeed. */
  readonly retryable: boolean;
}

export type LiveServerMessage = LiveReady | LiveHeard | LivePartial | LiveFinal | LiveEnd | LiveError;

/** `commit`: what was said up to here is one item. `end`: no more audio follows. */
export type LiveClientMessage = { readonly type: 'commit' } | { readonly type: 'end' };
