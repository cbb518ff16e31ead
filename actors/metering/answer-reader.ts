/**
 * Reads what must be known of an answer while it passes by: the recognised text, the provider's usage, and whether a
 * stream was finished or merely ended. Holds a bounded part of it and never changes a byte.
 */
import { LIMITS } from '../../config/limits.ts';
import { createEventStreamParser, type StreamedEvent } from './event-stream-parser.ts';
import { GrowingBytes } from './growing-bytes.ts';

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

/** What was read; what was not found is `undefined`. */
interface Read {
  readonly text?: string | undefined;
  readonly usage?: Readonly<Record<string, unknown>> | undefined;
  readonly audioSeconds?: number | undefined;
}

/** Without what is not there. Filled step by step: an object that others are spread into costs ten times as much (young-garbage.md). */
function summarise(
  { text, usage, audioSeconds }: Read,
  passedTokens: number | undefined,
  finished: boolean,
): AnswerSummary {
  const summary: { -readonly [P in keyof AnswerSummary]: AnswerSummary[P] } = { finished };
  if (text !== undefined) summary.text = text;
  if (usage !== undefined) summary.usage = usage;
  const seconds = secondsOf(usage) ?? audioSeconds;
  if (seconds !== undefined) summary.audioSeconds = seconds;
  if (passedTokens !== undefined) summary.passedTokens = passedTokens;
  return summary;
}

/** What a route's answers consist of: recognised words, generated ones, images, or what is paid for by the request alone (vectors, speech). */
export type AnswerKind = 'transcript' | 'words' | 'images' | 'other';

/** Of English text, in the vocabularies of today. */
export const BYTES_PER_TOKEN = 4;

export interface AnswerReader {
  /** The bytes are the caller's again when it returns. */
  push(chunk: Uint8Array): void;
  /** As the summary says it. */
  readonly finished: boolean;
  summary(): AnswerSummary;
  /** An event stream that is between two events: another one may be added here. */
  betweenEvents(): boolean;
}

/** A reader for one answer, by its `Content-Type`. */
export function createAnswerReader(kind: AnswerKind, contentType: string): AnswerReader {
  const parameters = contentType.indexOf(';');
  const media = contentType
    .slice(0, parameters === -1 ? undefined : parameters)
    .trim()
    .toLowerCase();
  if (media === '') return new UnlabelledReader(kind);
  if (media === 'text/event-stream') return new StreamReader(kind);
  if (media === 'application/json') return new WholeReader(readJson, kind);
  // `response_format` text, srt and vtt: the body is the text.
  if (kind === 'transcript' && media.startsWith('text/'))
    return new WholeReader((body) => ({ text: body.trim() }), kind);
  const summary = summarise({}, uncounted(kind), true);
  return { push: () => undefined, finished: true, summary: () => summary, betweenEvents: () => false };
}

/** Where nothing that passes is counted, the request alone is the measure of what has no account. */
function uncounted(kind: AnswerKind): number | undefined {
  return kind === 'images' || kind === 'other' ? 0 : undefined;
}

/** For an answer without a `Content-Type`: its first bytes tell, as far as it matters here. */
class UnlabelledReader implements AnswerReader {
  readonly #kind: AnswerKind;
  #reader: AnswerReader | undefined;
  /** The beginning, in latin1 and without blanks, while it may become the name of a field. */
  #start = '';

  constructor(kind: AnswerKind) {
    this.#kind = kind;
  }

  push(chunk: Uint8Array): void {
    if (this.#reader !== undefined) {
      this.#reader.push(chunk);
      return;
    }
    const start = (this.#start + Buffer.from(chunk).toString('latin1')).trimStart();
    this.#start = start;
    if (!FIELDS.some((field) => field !== start && field.startsWith(start))) this.#reader = this.#readerOf(start);
  }

  #readerOf(start: string): AnswerReader {
    // `{` begins JSON; lines of an event stream begin with a field's name or a colon.
    const isStream = FIELDS.some((field) => start.startsWith(field));
    const media = start.startsWith('{') ? 'application/json' : isStream ? 'text/event-stream' : 'text/plain';
    const reader = createAnswerReader(this.#kind, media);
    reader.push(Buffer.from(start, 'latin1'));
    return reader;
  }

  get finished(): boolean {
    return this.#reader?.finished ?? true;
  }

  summary(): AnswerSummary {
    if (this.#start !== '') this.#reader ??= this.#readerOf(this.#start);
    return this.#reader?.summary() ?? summarise({}, uncounted(this.#kind), true);
  }

  betweenEvents(): boolean {
    return this.#reader?.betweenEvents() ?? false;
  }
}

const FIELDS = ['data:', 'event:', 'id:', 'retry:', ':'];

/** Of generated words that cannot be read, because they are too long or the client left before their end, the bytes are counted. */
class WholeReader implements AnswerReader {
  readonly finished = true;
  readonly #read: (body: string) => Read;
  readonly #kind: AnswerKind;
  /** All of it; of an answer that is too long to be read, its end. */
  readonly #held = new GrowingBytes();
  #bytes = 0;

  constructor(read: (body: string) => Read, kind: AnswerKind) {
    this.#read = read;
    this.#kind = kind;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.byteLength;
    const isFull = this.#isTooLong() && this.#held.length + chunk.byteLength > 2 * END_BYTES;
    if (isFull) this.#held.keepEnd(END_BYTES);
    this.#held.append(chunk);
  }

  #isTooLong(): boolean {
    return this.#bytes > LIMITS.relay.answerTailBytes;
  }

  summary(): AnswerSummary {
    const isCounted = this.#kind === 'words' && this.#bytes > 0;
    const passedTokens = isCounted ? Math.ceil(this.#bytes / BYTES_PER_TOKEN) : uncounted(this.#kind);
    const held = this.#held.view();
    if (!this.#isTooLong()) return summarise(this.#read(held.toString('utf8')), passedTokens, true);
    return summarise({ usage: usageAtEnd(held.subarray(-END_BYTES).toString('utf8')) }, passedTokens, true);
  }

  betweenEvents(): boolean {
    return false;
  }
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
/** Closes a stream, or holds an account: many providers say `"usage":null` with every word. */
const TELLS = new RegExp(
  [...CLOSING.map((type) => `"${type.replaceAll('.', '\\.')}"`), '"usage"\\s*:\\s*\\{'].join('|'),
);

/** Events are read by so many bytes at once: a look at each piece would cost several times what is in it. */
const BATCH_BYTES = 4_096;
const noBytes = new Uint8Array(0);

class StreamReader implements AnswerReader {
  readonly #kind: AnswerKind;
  readonly #parser = createEventStreamParser(
    LIMITS.relay.answerTailBytes,
    (event) => this.#onEvent(event),
    (name, end) => this.#onLong(name, end),
  );
  /** Bytes that have passed and have not been read. */
  #batch = noBytes;
  #batchedBytes = 0;
  #text: string | undefined;
  #usage: Readonly<Record<string, unknown>> | undefined;
  /** Of words, from the first event on. */
  #passedTokens: number | undefined;
  #finished = false;

  constructor(kind: AnswerKind) {
    this.#kind = kind;
  }

  push(chunk: Uint8Array): void {
    if (this.#batchedBytes + chunk.length > BATCH_BYTES) {
      this.#readBatch();
      if (chunk.length > BATCH_BYTES) {
        this.#parser.push(chunk);
        return;
      }
    }
    this.#makeRoom(this.#batchedBytes + chunk.length);
    this.#batch.set(chunk, this.#batchedBytes);
    this.#batchedBytes += chunk.length;
  }

  /** Most streams are silent most of the time: what one holds meanwhile counts. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#batch.length) return;
    const larger = new Uint8Array(Math.min(BATCH_BYTES, 2 * bytes));
    larger.set(this.#batch.subarray(0, this.#batchedBytes));
    this.#batch = larger;
  }

  #readBatch(): void {
    if (this.#batchedBytes > 0) this.#parser.push(this.#batch.subarray(0, this.#batchedBytes));
    this.#batchedBytes = 0;
  }

  #onEvent({ event: name, data }: StreamedEvent): void {
    if (data === '[DONE]') this.#finished = true;
    if (this.#kind === 'words') this.#passedTokens = (this.#passedTokens ?? 0) + tokensOf(name, data);
    // Deltas are neither parsed nor kept: only the closing event and one with usage are of interest.
    if (!TELLS.test(data)) return;
    const event = parseObject(data);
    if (event === undefined) return;
    if (CLOSING.includes(String(event['type']))) this.#finished = true;
    if (event['type'] === 'transcript.text.done' && typeof event['text'] === 'string') this.#text = event['text'];
    this.#usage = asObject(event['usage']) ?? asObject(asObject(event['response'])?.['usage']) ?? this.#usage;
  }

  #onLong(name: string, end: string): void {
    if (CLOSING.includes(name)) this.#finished = true;
    this.#usage = usageAtEnd(end) ?? this.#usage;
  }

  get finished(): boolean {
    this.#readBatch();
    return this.#finished;
  }

  summary(): AnswerSummary {
    this.#readBatch();
    return summarise(
      { text: this.#text, usage: this.#usage },
      this.#passedTokens ?? uncounted(this.#kind),
      this.#finished,
    );
  }

  betweenEvents(): boolean {
    this.#readBatch();
    return this.#parser.betweenEvents();
  }
}

function readJson(body: string): Read {
  const answer = parseObject(body);
  if (answer === undefined) return {};
  const { text, duration } = answer;
  return {
    text: typeof text === 'string' ? text : undefined,
    usage: asObject(answer['usage']),
    // `verbose_json` gives the duration beside the text.
    audioSeconds: typeof duration === 'number' && duration >= 0 ? duration : undefined,
  };
}

/** OpenAI's transcription usage is either tokens or `{"type": "duration", "seconds": …}`; an explicit zero is a value. */
function secondsOf(usage: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const seconds = usage?.['type'] === 'duration' ? usage['seconds'] : undefined;
  return typeof seconds === 'number' && seconds >= 0 ? seconds : undefined;
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
/** Where words stand: said, thought, spoken, in parts, or said to a tool, the name of which can be all that was asked for. */
const MEMBERS = [
  ...['content', 'reasoning', 'reasoning_content', 'refusal', 'text', 'thinking', 'transcript'],
  ...['name', 'arguments', 'input'],
];
const WORDS = new RegExp(`"(?:${MEMBERS.join('|')})"\\s*:\\s*${TEXT}`, 'g');
/** Of a response, whose other events say again what these said. */
const DELTA = new RegExp(`"delta"\\s*:\\s*${TEXT}`, 'g');
const OF_RESPONSE = /"type"\s*:\s*"response\./;

/** Most providers send an event for each token; one that sends more at once is counted by the bytes of its words. */
function tokensOf(name: string, data: string): number {
  const said = name.startsWith('response.') || OF_RESPONSE.test(data) ? DELTA : WORDS;
  let bytes = 0;
  said.lastIndex = 0;
  for (let found = said.exec(data); found !== null; found = said.exec(data)) bytes += Buffer.byteLength(found[1] ?? '');
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
