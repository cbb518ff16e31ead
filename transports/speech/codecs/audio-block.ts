/** What the decoders hand on: a stretch of a recording. */

/** Samples of all channels, mixed to one, at the recording's own rate. */
export interface AudioBlock {
  readonly samples: Float32Array;
  readonly sampleRate: number;
  /** Samples that were sent before these and could not be read. */
  readonly lostSamples?: number;
}

/** Samples a second that recognition works on. */
export const RECOGNITION_RATE = 16_000;
