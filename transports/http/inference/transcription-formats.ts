/** A recognition in the response formats of OpenAI's transcription API. */
import type { Recognition, Segment } from '../../../actors/inference/speech-engine.ts';
import { languageName } from './language-names.ts';
import { compressionRatio } from '../../speech/intelligibility.ts';

export interface DurationUsage {
  readonly type: 'duration';
  readonly seconds: number;
}

/** `json`: the text and what it is billed by. */
export const jsonTranscription = (
  recognition: Recognition,
): { readonly text: string; readonly usage: DurationUsage; readonly lost_seconds?: number } => ({
  text: recognition.text,
  usage: { type: 'duration', seconds: milliseconds(recognition.audioSeconds) },
  // Ours, beside OpenAI's: damage kept this much of the recording from being heard.
  ...(recognition.lostSeconds === undefined ? {} : { lost_seconds: milliseconds(recognition.lostSeconds) }),
});

/** `text`: the bare text and a line end. */
export const textTranscription = (recognition: Recognition): string => `${recognition.text}\n`;

/** `srt` (SubRip): numbered cues, times with a comma. */
export const srtTranscription = ({ segments }: Recognition): string =>
  spoken(segments)
    .map((segment, index) => `${index + 1}\n${cueTimes(segment, ',')}\n${cueText(segment)}\n\n`)
    .join('');

/** `vtt` (WebVTT): times with a point, and the characters that start markup escaped. */
export const vttTranscription = ({ segments }: Recognition): string =>
  `WEBVTT\n\n${spoken(segments)
    .map((segment) => `${cueTimes(segment, '.')}\n${escapeVtt(cueText(segment))}\n\n`)
    .join('')}`;

const spoken = (segments: readonly Segment[]): readonly Segment[] =>
  segments.filter((segment) => cueText(segment) !== '');

/** One line: an empty one would end the cue. */
const cueText = ({ text }: Segment): string => text.trim().replace(/\s*\n\s*/g, ' ');

const escapeVtt = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const cueTimes = ({ startSeconds, endSeconds }: Segment, mark: string): string =>
  `${cueTime(startSeconds, mark)} --> ${cueTime(endSeconds, mark)}`;

function cueTime(seconds: number, mark: string): string {
  const total = Math.round(seconds * 1000);
  const pad = (value: number, digits: number) => String(Math.floor(value)).padStart(digits, '0');
  const [hours, minutes] = [total / 3_600_000, (total / 60_000) % 60];
  return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad((total / 1000) % 60, 2)}${mark}${pad(total % 1000, 3)}`;
}

/** `verbose_json`: with times of segments. */
export const verboseTranscription = (recognition: Recognition, language: string): object => ({
  task: 'transcribe',
  language: languageName(language),
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

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000;
