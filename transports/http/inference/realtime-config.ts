/**
 * Reads what a caller asks of a realtime transcription with `session.update`, and with `transcription_session.update` of the protocol's beta.
 * What cannot be honoured and is not at its neutral value is refused, never dropped in silence (contract §9).
 */
import { PCM_RATES, type LiveFormat } from '../../../actors/live/live-protocol.ts';
import { VelloError } from '../../../config/errors.ts';
import { checkModel, languageOf } from './transcription-request.ts';

export interface RealtimeConfig {
  readonly format: LiveFormat;
  readonly language: string;
  readonly findsTurns: boolean;
  readonly silenceSeconds: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** OpenAI's default, in ms, and what is between two words or longer than anybody waits. */
const SILENCE_MS = 500;
const LEAST_SILENCE_MS = 100;
const MOST_SILENCE_MS = 10_000;

/** @throws VelloError `BAD_REQUEST`, naming the field; `MODEL_NOT_FOUND` */
export function readRealtimeConfig(event: Fields, languages: readonly string[]): RealtimeConfig {
  const session = objectOf(event['session'], 'session');
  const isBeta = event['type'] === 'transcription_session.update';
  if (!isBeta && session['type'] !== 'transcription')
    throw wrongField('session.type', 'Only transcription is done here.');
  if (listOf(session['include']).length > 0) throw wrongField('session.include', 'Nothing can be included.');
  const input = isBeta
    ? session
    : objectOf(objectOf(session['audio'], 'session.audio')['input'], 'session.audio.input');
  const [prefix, names] = isBeta ? ['session', BETA] : ['session.audio.input', CURRENT];
  const at = (field: keyof typeof CURRENT) => `${prefix}.${names[field]}`;
  if ((input[names.noise] ?? null) !== null) throw wrongField(at('noise'), 'Noise is not reduced.');
  const transcription = objectOf(input[names.transcription], at('transcription'));
  const language = transcription['language'] ?? '';
  if (typeof language !== 'string') throw wrongField(`${at('transcription')}.language`, 'The language is a text.');
  const model = transcription['model'];
  checkModel(typeof model === 'string' ? model : undefined);
  return {
    format: isBeta ? betaFormatOf(input[names.format], at('format')) : formatOf(input[names.format], at('format')),
    language: languageOf(language, languages),
    ...turnsOf(input[names.turns], at('turns')),
  };
}

const CURRENT = { format: 'format', noise: 'noise_reduction', transcription: 'transcription', turns: 'turn_detection' };
const BETA: typeof CURRENT = {
  format: 'input_audio_format',
  noise: 'input_audio_noise_reduction',
  transcription: 'input_audio_transcription',
  turns: 'turn_detection',
};

/** OpenAI's one rate, ours besides, and Opus: a packet in each message. */
function formatOf(given: unknown, field: string): LiveFormat {
  const { type, rate = 24_000 } = given === undefined ? { type: 'audio/pcm' } : objectOf(given, field);
  if (type === 'audio/opus') return { codec: 'opus' };
  const known = PCM_RATES.find((one) => one === rate);
  if (type === 'audio/pcm' && known !== undefined) return { codec: 'pcm16', rate: known };
  throw wrongField(field, `The format is audio/opus, or audio/pcm with a rate of ${PCM_RATES.join(', ')}.`);
}

function betaFormatOf(given: unknown, field: string): LiveFormat {
  if (given === undefined || given === 'pcm16') return { codec: 'pcm16', rate: 24_000 };
  throw wrongField(field, 'The format is pcm16.');
}

function turnsOf(given: unknown, field: string): Pick<RealtimeConfig, 'findsTurns' | 'silenceSeconds'> {
  const silenceSeconds = SILENCE_MS / 1000;
  if (given === null) return { findsTurns: false, silenceSeconds };
  if (given === undefined) return { findsTurns: true, silenceSeconds };
  const turns = objectOf(given, field);
  if (turns['type'] !== 'server_vad') throw wrongField(`${field}.type`, 'Only server_vad is there, or null.');
  for (const [name, neutral] of Object.entries({ threshold: 0.5, prefix_padding_ms: 300, idle_timeout_ms: null })) {
    if ((turns[name] ?? neutral) !== neutral) throw wrongField(`${field}.${name}`, `It is ${neutral} here.`);
  }
  const ms = turns['silence_duration_ms'] ?? SILENCE_MS;
  if (typeof ms === 'number' && ms >= LEAST_SILENCE_MS && ms <= MOST_SILENCE_MS) {
    return { findsTurns: true, silenceSeconds: ms / 1000 };
  }
  throw wrongField(`${field}.silence_duration_ms`, `It lies between ${LEAST_SILENCE_MS} and ${MOST_SILENCE_MS}.`);
}

function objectOf(value: unknown, field: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrongField(field, 'An object is required.');
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const wrongField = (field: string, problem: string): VelloError =>
  new VelloError('BAD_REQUEST', problem, { fields: [{ field, problem }] });
