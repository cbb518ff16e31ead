/** A recognition in the response formats of OpenAI's transcription API. */
import { deflateSync } from 'node:zlib';
import type { Recognition, Segment } from '../../../actors/ports/speech-engine.ts';

export interface DurationUsage {
  readonly type: 'duration';
  readonly seconds: number;
}

/** `json`: the text and what it is billed by. */
export const jsonTranscription = (
  recognition: Recognition,
): { readonly text: string; readonly usage: DurationUsage } => ({
  text: recognition.text,
  usage: { type: 'duration', seconds: milliseconds(recognition.audioSeconds) },
});

/** `text`: the bare text and a line end. */
export const textTranscription = (recognition: Recognition): string => `${recognition.text}\n`;

/** `verbose_json`: with times of segments. */
export const verboseTranscription = (recognition: Recognition): object => ({
  task: 'transcribe',
  language: 'english',
  duration: milliseconds(recognition.audioSeconds),
  ...jsonTranscription(recognition),
  segments: recognition.segments.map(verboseSegment),
});

const verboseSegment = (segment: Segment, id: number): object => ({
  id,
  // In frames of 10 ms, as Whisper counts.
  seek: Math.round(segment.startSeconds * 100),
  start: milliseconds(segment.startSeconds),
  end: milliseconds(segment.endSeconds),
  text: segment.text,
  tokens: segment.tokens,
  temperature: 0,
  avg_logprob: segment.averageLogProbability,
  compression_ratio: compressionRatio(segment.text),
  // The model does not estimate it. Silence never becomes a segment, and 0 keeps clients from dropping speech.
  no_speech_prob: 0,
});

/** How much shorter the text gets by deflating it: text that repeats itself shrinks most. */
function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length / deflateSync(bytes).length;
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;
