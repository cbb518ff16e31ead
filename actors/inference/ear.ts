/** What finds the speech in live audio, as those who recognise it see it: it hears many calls at once and tells where somebody speaks in each. */
import type { VelloError } from '../../config/errors.ts';
import type { LiveFormat } from '../live/live-protocol.ts';

export interface HearingOptions {
  readonly format: LiveFormat;
  /** What is said behind a longer silence is another stretch. */
  readonly silenceSeconds: number;
}

/** Somebody's speech without a longer silence in it, half a minute at most. */
export interface Stretch {
  /** One channel at 16 kHz, with a little of what lies around. */
  readonly samples: Float32Array;
  readonly startMs: number;
  readonly endMs: number;
}

/** All of it is told in the order in which it was heard. */
export interface HearingListener {
  /** Somebody has begun to speak; a stretch follows. */
  began(startMs: number): void;
  stretch(stretch: Stretch): void;
  /** One frame more was heard; so long is by now what is being said, 0 where nobody has spoken since the last stretch. */
  heard(openSeconds: number): void;
  /** All that was heard before `cut` was called has been told. */
  cut(): void;
  /** What is being said, up to here. */
  glimpsed(samples: Float32Array | undefined): void;
  /** Nothing more is told: a frame that cannot be read, or the ear has broken down. */
  broken(error: VelloError): void;
}

export interface Hearing {
  /** The frame may be used again when this returns. */
  hear(frame: Uint8Array): void;
  /** What was said up to here is a stretch, if anything was. */
  cut(): void;
  /** Asks what is being said. */
  glimpse(): void;
  /** Nothing more is told. */
  close(): void;
}

export interface Ear {
  /** Hears one call from its beginning. */
  listen(options: HearingOptions, listener: HearingListener): Hearing;
  /** Every hearing ends as `broken`. */
  close(): Promise<void>;
}
