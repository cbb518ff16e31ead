/**
 * Reads what must be known of an answer while it passes by: the recognised text, the provider's usage, and whether a
 * stream was finished or merely ended. Holds a bounded part of it and never changes a byte.
 */
import { LIMITS } from '../../config/limits.ts';
import { createEventStreamParser, type StreamedEvent } from './event-stream-parser.ts';

export interface AnswerSummary {
  /** The whole recognised text; absent where the answer is no transcription, too long, or unfinished. */
  readonly text?: string;
  readonly usage?: Readonly<Record<string, unknown>>;
  /** Seconds of audio as the provider counted them. */
  readonly audioSeconds?: number;
  /** Tokens that were generated, as far as what passed tells: none of images and others; absent where that is not looked at. */
  readonly passedTokens?: number;
  /** False for an event stream that ended without its closing event. */
  readonly finished: boolean;
}

/** What a route's answers consist of: recognised words, generated ones, images, or what is paid for by the request alone (vectors, speech). */
export type AnswerKind = 'transcript' | 'words' | 'images' | 'other';

/** Of English text, in the vocabularies of today. */
export const BYTES_PER_TOKEN = 4;

export interface AnswerReader {
  push(chunk: Uint8Array): void;
  summary(): AnswerSummary;
  /** An event stream that is between two events: another one may be added here. */
  betweenEvents(): boolean;
}

/** A reader for one answer, by its `Content-Type`. */
export function createAnswerReader(kind: AnswerKind, contentType: string): AnswerReader {
  const media = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (media === '') return createUnlabelledReader(kind);
  if (media === 'text/event-stream') return createStreamReader(kind);
  if (media === 'application/json') return createWholeReader(readJson, kind);
  // `response_format` text, srt and vtt: the body is the text.
  if (kind === 'transcript' && media.startsWith('text/'))
    return createWholeReader((body) => ({ text: body.trim() }), kind);
  const summary = { ...uncounted(kind), finished: true };
  return { push: () => undefined, summary: () => summary, betweenEvents: () => false };
}

/** Where nothing that passes is counted, the request alone is the measure of what has no account. */
function uncounted(kind: AnswerKind): Pick<AnswerSummary, 'passedTokens'> {
  return kind === 'images' || kind === 'other' ? { passedTokens: 0 } : {};
}

/** For an answer without a `Content-Type`: its first byte tells, as far as it matters here. */
function createUnlabelledReader(kind: AnswerKind): AnswerReader {
  let reader: AnswerReader | undefined;
  return {
    push: (chunk) => {
      const first = chunk.find((byte) => byte > 0x20);
      if (reader === undefined && first === undefined) return;
      // `{` begins JSON; lines of an event stream begin with a field's name or a colon.
      const isStream = first !== undefined && /^\s*(data|event|id|retry)?:/.test(Buffer.from(chunk).toString('latin1'));
      const media = first === 0x7b ? 'application/json' : isStream ? 'text/event-stream' : 'text/plain';
      reader ??= createAnswerReader(kind, media);
      reader.push(chunk);
    },
    summary: () => reader?.summary() ?? { ...uncounted(kind), finished: true },
    betweenEvents: () => reader?.betweenEvents() ?? false,
  };
}

/** Of generated words that cannot be read, because they are too long or the client left before their end, the bytes are counted. */
function createWholeReader(read: (body: string) => Omit<AnswerSummary, 'finished'>, kind: AnswerKind): AnswerReader {
  let chunks: Buffer[] = [];
  let bytes = 0;
  /** Of an answer that is too long to be read. */
  let end: Buffer | undefined;
  return {
    push: (chunk) => {
      bytes += chunk.byteLength;
      if (bytes <= LIMITS.relay.answerTailBytes) chunks.push(Buffer.from(chunk));
      else {
        end = Buffer.concat([...chunks, ...(end === undefined ? [] : [end]), chunk]).subarray(-END_BYTES);
        chunks = [];
      }
    },
    summary: () => {
      const counted = kind === 'words' && bytes > 0 ? { passedTokens: Math.ceil(bytes / BYTES_PER_TOKEN) } : {};
      const passed = { ...uncounted(kind), ...counted };
      if (end !== undefined) return { ...passed, ...describeUsage(usageAtEnd(end.toString('utf8'))), finished: true };
      return { ...passed, ...read(Buffer.concat(chunks).toString('utf8')), finished: true };
    },
    betweenEvents: () => false,
  };
}

/** Accounts stand at the end of what they count. */
const END_BYTES = 16_384;

/** Events that close a stream, beside the `[DONE]` of chats. One that failed is not among them. */
const CLOSING = [
  'transcript.text.done',
  'response.completed',
  'response.incomplete',
  'speech.audio.done',
  'image_generation.completed',
  'image_edit.completed',
];
const NAMES_CLOSING = new RegExp(CLOSING.map((type) => `"${type.replaceAll('.', '\\.')}"`).join('|'));

function createStreamReader(kind: AnswerKind): AnswerReader {
  let text: string | undefined;
  let usage: Readonly<Record<string, unknown>> | undefined;
  let finished = false;
  let passedTokens = 0;
  const onEvent = ({ event: name, data }: StreamedEvent) => {
    if (data === '[DONE]') finished = true;
    if (kind === 'words') passedTokens += tokensOf(name, data);
    // Deltas are neither parsed nor kept: only the closing event and one with usage are of interest.
    if (!NAMES_CLOSING.test(data) && !data.includes('"usage"')) return;
    const event = parseObject(data);
    if (event === undefined) return;
    if (CLOSING.includes(String(event['type']))) finished = true;
    if (event['type'] === 'transcript.text.done' && typeof event['text'] === 'string') text = event['text'];
    usage = asObject(event['usage']) ?? asObject(asObject(event['response'])?.['usage']) ?? usage;
  };
  const onLong = (name: string, end: string) => {
    if (CLOSING.includes(name)) finished = true;
    usage = usageAtEnd(end) ?? usage;
  };
  const reader = createEventStreamParser(LIMITS.relay.answerTailBytes, onEvent, onLong);
  return {
    push: (chunk) => reader.push(chunk),
    summary: () => ({
      ...(text === undefined ? {} : { text }),
      ...describeUsage(usage),
      ...(passedTokens > 0 ? { passedTokens } : uncounted(kind)),
      finished,
    }),
    betweenEvents: () => reader.betweenEvents(),
  };
}

function readJson(body: string): Omit<AnswerSummary, 'finished'> {
  const answer = parseObject(body);
  if (answer === undefined) return {};
  const { text, duration } = answer;
  const measured = describeUsage(asObject(answer['usage']));
  return {
    ...(typeof text === 'string' ? { text } : {}),
    // `verbose_json` gives the duration beside the text.
    ...(typeof duration === 'number' && duration >= 0 ? { audioSeconds: duration } : {}),
    ...measured,
  };
}

/** OpenAI's transcription usage is either tokens or `{"type": "duration", "seconds": …}`; an explicit zero is a value. */
function describeUsage(usage: Readonly<Record<string, unknown>> | undefined): Partial<AnswerSummary> {
  if (usage === undefined) return {};
  const seconds = usage['type'] === 'duration' ? usage['seconds'] : undefined;
  return typeof seconds === 'number' && seconds >= 0 ? { usage, audioSeconds: seconds } : { usage };
}

/** The account in the last part of a JSON text that is too long to be read. */
function usageAtEnd(end: string): Readonly<Record<string, unknown>> | undefined {
  const start = end.lastIndexOf('"usage"');
  const [lead] = start === -1 ? [] : (/^"usage"\s*:\s*(?=\{)/.exec(end.slice(start)) ?? []);
  if (lead === undefined) return undefined;
  const account = end.slice(start + lead.length);
  let depth = 0;
  for (const { 0: brace, index } of account.matchAll(/[{}]/g)) {
    depth += brace === '{' ? 1 : -1;
    if (depth === 0) return parseObject(account.slice(0, index + 1));
  }
  return undefined;
}

const TEXT = '"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)"';
const WORDS = new RegExp(`"(?:content|reasoning|reasoning_content|arguments|refusal)"\\s*:\\s*${TEXT}`, 'g');
/** Of a response, whose other events say again what these said. */
const DELTA = new RegExp(`"delta"\\s*:\\s*${TEXT}`, 'g');
const OF_RESPONSE = /"type"\s*:\s*"response\./;

/** Most providers send an event for each token; one that sends more at once is counted by the bytes of its words. */
function tokensOf(name: string, data: string): number {
  const said = name.startsWith('response.') || OF_RESPONSE.test(data) ? DELTA : WORDS;
  let bytes = 0;
  for (const [, words = ''] of data.matchAll(said)) bytes += Buffer.byteLength(words);
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Readonly<Record<string, unknown>>;
}
