/** Reads a transcription request: the multipart body and its fields, checked as OpenAI checks them. */
import { VelloError } from '../../../config/errors.ts';
import { parseMultipart } from './multipart-form.ts';
import { languageMeant, languageName } from './language-names.ts';
import { MOONSHINE_MODEL_ID } from '../../speech/moonshine-engine.ts';

const TRANSCRIPTION_FORMATS = ['json', 'text', 'verbose_json', 'srt', 'vtt'] as const;
export type TranscriptionFormat = (typeof TRANSCRIPTION_FORMATS)[number];

export interface TranscriptionRequest {
  readonly file: Uint8Array;
  readonly format: TranscriptionFormat;
  readonly stream: boolean;
  /** One of the engine's. */
  readonly language: string;
}

/** OpenAI's names are served too, by our one model, so that clients written for OpenAI run unchanged. */
export const SERVED_MODELS = [MOONSHINE_MODEL_ID, 'whisper-1', 'gpt-4o-transcribe', 'gpt-4o-mini-transcribe'] as const;

/**
 * The request in a complete multipart body. `prompt` and `temperature` are checked and have no effect on this model.
 * @throws VelloError `UNSUPPORTED_MEDIA_TYPE`, `BAD_REQUEST` naming the field, `MODEL_NOT_FOUND`
 */
export function parseTranscriptionRequest(
  body: Buffer,
  contentType: string,
  languages: readonly string[],
): TranscriptionRequest {
  const parts = parseMultipart(body, contentType);
  const file = parts.find((part) => part.name === 'file');
  if (file === undefined) throw wrong('file', 'A file is required.');
  const text = (name: string): string | undefined => parts.find((part) => part.name === name)?.content.toString('utf8');
  checkModel(text('model'));
  const language = languageOf(text('language') ?? '', languages);
  const temperature = Number(text('temperature') ?? 0);
  if (!(temperature >= 0 && temperature <= 1)) throw wrong('temperature', 'The temperature lies between 0 and 1.');
  const granularities = parts.filter((part) => part.name === 'timestamp_granularities[]');
  if (granularities.some((part) => part.content.toString('utf8') !== 'segment')) {
    throw wrong('timestamp_granularities', 'This model tells the times of segments only.');
  }
  const format = formatOf(text('response_format') ?? 'json');
  const stream = flagOf(text('stream') ?? 'false');
  if (stream && format !== 'json' && format !== 'text') throw wrong('response_format', `${format} cannot be streamed.`);
  return { file: file.content, format, stream, language };
}

/** @throws VelloError `BAD_REQUEST` */
export function languageOf(given: string, languages: readonly string[]): string {
  const language = given === '' ? languages[0] : languageMeant(given, languages);
  if (language !== undefined) return language;
  const names = languages.map(languageName).map((name) => name.charAt(0).toUpperCase() + name.slice(1));
  throw wrong('language', `There is a model of ${names.join(', ')} only.`);
}

/** @throws VelloError `BAD_REQUEST`, `MODEL_NOT_FOUND` */
export function checkModel(model: string | undefined): void {
  if (model === undefined || model === '') throw wrong('model', 'A model is required.');
  if (SERVED_MODELS.some((served) => served === model)) return;
  // The name goes back to whoever sent it, cut to what a name can be.
  throw new VelloError('MODEL_NOT_FOUND', `There is no model "${model.slice(0, 100)}" here.`, {
    fields: [{ field: 'model', problem: `is none of ${SERVED_MODELS.join(', ')}` }],
  });
}

function formatOf(given: string): TranscriptionFormat {
  const format = TRANSCRIPTION_FORMATS.find((known) => known === given);
  if (format !== undefined) return format;
  throw wrong('response_format', `The response_format must be one of ${TRANSCRIPTION_FORMATS.join(', ')}.`);
}

function flagOf(given: string): boolean {
  if (['true', 'True', '1'].includes(given)) return true;
  if (['false', 'False', '0', ''].includes(given)) return false;
  throw wrong('stream', 'stream must be true or false.');
}

const wrong = (field: string, problem: string): VelloError =>
  new VelloError('BAD_REQUEST', problem, { fields: [{ field, problem }] });
