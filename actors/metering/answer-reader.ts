/**
 * Reads what must be known of an answer while it passes by: the recognised text, the provider's usage, and whether a
 * stream was finished or merely ended. Holds a bounded part of it and never changes a byte.
 */
import { LIMITS } from '../../config/limits.ts';
import { createEventStreamParser } from './event-stream-parser.ts';

export interface AnswerSummary {
  /** The whole recognised text; absent where the answer is no transcription, too long, or unfinished. */
  readonly text?: string;
  readonly usage?: Readonly<Record<string, unknown>>;
  /** Seconds of audio as the provider counted them. */
  readonly audioSeconds?: number;
  /** Tokens that were generated, as far as what passed tells; absent where that is not looked at. */
  readonly passedTokens?: number;
  /** False for an event stream that ended without its closing event. */
  readonly finished: boolean;
}

/** Of English text, in the vocabularies of today. */
export const BYTES_PER_TOKEN = 4;

export interface AnswerReader {
  push(chunk: Uint8Array): void;
  summary(): AnswerSummary;
  /** An event stream that is between two events: another one may be added here. */
  betweenEvents(): boolean;
}

/** A reader for one answer, by its `Content-Type`. */
export function createAnswerReader(type: 'transcribe' | 'process', contentType: string): AnswerReader {
  const media = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (media === '') return createUnlabelledReader(type);
  if (media === 'text/event-stream') return createStreamReader();
  if (media === 'application/json') return createWholeReader(readJson, type === 'process');
  // `response_format` text, srt and vtt: the body is the text.
  if (type === 'transcribe' && media.startsWith('text/'))
    return createWholeReader((body) => ({ text: body.trim() }), false);
  return { push: () => undefined, summary: () => ({ finished: true }), betweenEvents: () => false };
}

/** For an answer without a `Content-Type`: its first byte tells, as far as it matters here. */
function createUnlabelledReader(type: 'transcribe' | 'process'): AnswerReader {
  let reader: AnswerReader | undefined;
  return {
    push: (chunk) => {
      const first = chunk.find((byte) => byte > 0x20);
      if (reader === undefined && first === undefined) return;
      // `{` begins JSON; lines of an event stream begin with a field's name or a colon.
      const isStream = first !== undefined && /^\s*(data|event|id|retry)?:/.test(Buffer.from(chunk).toString('latin1'));
      const media = first === 0x7b ? 'application/json' : isStream ? 'text/event-stream' : 'text/plain';
      reader ??= createAnswerReader(type, media);
      reader.push(chunk);
    },
    summary: () => reader?.summary() ?? { finished: true },
    betweenEvents: () => reader?.betweenEvents() ?? false,
  };
}

/** `isChat`: where it cannot be read, because it is too large or the client left before its end, its bytes are counted. */
function createWholeReader(read: (body: string) => Omit<AnswerSummary, 'finished'>, isChat: boolean): AnswerReader {
  let chunks: Buffer[] = [];
  let bytes = 0;
  return {
    push: (chunk) => {
      bytes += chunk.byteLength;
      // Half of a JSON text says nothing reliable.
      if (bytes > LIMITS.relay.answerTailBytes) chunks = [];
      else chunks.push(Buffer.from(chunk));
    },
    summary: () => {
      const passed = isChat && bytes > 0 ? { passedTokens: Math.ceil(bytes / BYTES_PER_TOKEN) } : {};
      if (bytes > LIMITS.relay.answerTailBytes) return { ...passed, finished: true };
      return { ...passed, ...read(Buffer.concat(chunks).toString('utf8')), finished: true };
    },
    betweenEvents: () => false,
  };
}

function createStreamReader(): AnswerReader {
  let text: string | undefined;
  let usage: Readonly<Record<string, unknown>> | undefined;
  let finished = false;
  let passedTokens = 0;
  const reader = createEventStreamParser(LIMITS.relay.answerTailBytes, ({ data }) => {
    if (data === '[DONE]') finished = true;
    passedTokens += tokensOf(data);
    // Deltas are neither parsed nor kept: only the closing event and one with usage are of interest.
    if (!data.includes('"transcript.text.done"') && !data.includes('"usage"')) return;
    const event = parseObject(data);
    if (event === undefined) return;
    if (event['type'] === 'transcript.text.done') {
      finished = true;
      if (typeof event['text'] === 'string') text = event['text'];
    }
    usage = asObject(event['usage']) ?? usage;
  });
  return {
    push: (chunk) => reader.push(chunk),
    summary: () => ({
      ...(text === undefined ? {} : { text }),
      ...describeUsage(usage),
      ...(passedTokens > 0 ? { passedTokens } : {}),
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

const WORDS = /"(?:content|reasoning|reasoning_content|arguments|refusal)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"/g;

/** Most providers send an event for each token; one that sends more at once is counted by the bytes of its words. */
function tokensOf(data: string): number {
  let bytes = 0;
  for (const [, words = ''] of data.matchAll(WORDS)) bytes += Buffer.byteLength(words);
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
