/**
 * Follows the top level of a JSON object while it passes by: the `model` it names, where its members stand, and keys that are given twice,
 * of which some readers take the first value and some the last. Keeps nothing but the keys, and is done with an object that has very many.
 */

/** Where a member's value stands, in bytes from the body's start; blanks around it are taken for a part of it. */
export interface JsonMember {
  readonly start: number;
  readonly end: number;
  /** The value where it is a number, `true`, `false` or `null`; only its beginning where it is longer than those words. */
  readonly literal: string;
}

export interface JsonShape {
  /** A member of the top level whose end has been seen. */
  member(key: string): JsonMember | undefined;
  /** Where the brace stands that closes the object, once it has been seen. */
  closedAt(): number | undefined;
}

/** How long a string must be, and how it must begin, to be a file in base64 or the address that holds one. Neither has a blank. */
const LEAST_FILE_BYTES = 2_048;
const FILE_START = /^[\w+/=:;,.-]{64}/;

/** Longer strings are prompts, not names. */
const LONGEST_NAME = 512;
/** More than any request has. Of more, nobody could say whether one is given twice. */
const MOST_KEYS = 1_000;
const LONGEST_WORD = 5;
/** Strings of so few bytes are read byte by byte, which is faster than to have the rest searched. */
const SHORT_STRING = 48;

export interface JsonBodyListener {
  /** A key of the top level. What it throws ends the push. */
  onKey(key: string, isRepeated: boolean): void;
  /** More of them than can be kept. */
  onTooManyKeys(): void;
  /** A byte that no JSON in UTF-8 has. */
  onNul(): void;
  /** A byte behind the object that is no blank. */
  onRest(): void;
}

export class JsonBodyScanner implements JsonShape {
  readonly #listener: JsonBodyListener;
  readonly #members = new Map<string, JsonMember | undefined>();
  #depth = 0;
  #inString = false;
  /** The next byte belongs to the backslash before it. */
  #escaped = false;
  /** The beginning of the string that is open, where it came with earlier chunks; what is behind `LONGEST_NAME` is left out. */
  #held = NOTHING;
  /** Bytes of the string that came with earlier chunks. */
  #heldBytes = 0;
  /** They had a blank among them. */
  #heldBlank = false;
  /** In this chunk: no backslash stands between the last long string that was looked at and this place. */
  #backslash = -1;
  #lastString: string | undefined;
  #key: string | undefined;
  #model: string | undefined;
  #fileBytes = 0;
  #passedBytes = 0;
  #valueStart = 0;
  #literal = '';
  #closedAt: number | undefined;

  constructor(listener: JsonBodyListener) {
    this.#listener = listener;
  }

  member(key: string): JsonMember | undefined {
    return this.#members.get(key);
  }

  closedAt(): number | undefined {
    return this.#closedAt;
  }

  /** The model's name, once it has been seen. */
  model(): string | undefined {
    return this.#model;
  }

  /** Bytes so far; `isWithFiles`: without strings that hold files rather than words. */
  textBytes(isWithFiles: boolean): number {
    return this.#passedBytes - (isWithFiles ? this.#fileBytes : 0);
  }

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const before = this.#passedBytes;
    this.#passedBytes += chunk.length;
    this.#backslash = -1;
    let at = 0;
    while (at < chunk.length) {
      if (this.#inString) {
        at = this.#passString(chunk, at);
        continue;
      }
      const byte = chunk[at];
      at += 1;
      if (this.#closedAt !== undefined && byte !== undefined && byte > SPACE) this.#listener.onRest();
      if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth += 1;
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth -= 1;
        if (this.#depth !== 0 || byte !== CLOSE_BRACE) continue;
        this.#endMember(before + at - 1);
        this.#closedAt ??= before + at - 1;
      } else if (byte === 0) this.#listener.onNul();
      else if (this.#depth === 1 && byte !== undefined && byte > SPACE) this.#readTop(byte, before + at);
    }
  }

  /** A byte between the strings of the top level; `at` is the place behind it. */
  #readTop(byte: number, at: number): void {
    if (byte === COLON) this.#beginMember(at);
    else if (byte === COMMA) this.#endMember(at - 1);
    else if (this.#literal.length < LONGEST_WORD) this.#literal += String.fromCharCode(byte);
  }

  #beginMember(at: number): void {
    const key = this.#lastString;
    this.#key = key;
    this.#valueStart = at;
    this.#literal = '';
    if (key === undefined) return;
    const isRepeated = this.#members.has(key);
    if (this.#members.size >= MOST_KEYS) this.#listener.onTooManyKeys();
    else if (!isRepeated) this.#members.set(key, undefined);
    this.#listener.onKey(key, isRepeated);
  }

  #endMember(at: number): void {
    const key = this.#key;
    if (key !== undefined && this.#members.has(key)) {
      this.#members.set(key, { start: this.#valueStart, end: at, literal: this.#literal });
    }
    this.#key = this.#lastString = undefined;
  }

  /** Where the string that is open ends, or the chunk does: prompts are long, and only their end is of interest. */
  #passString(chunk: Buffer, from: number): number {
    const end = this.#closingQuote(chunk, from);
    if (end === -1) {
      if (this.#held.length < LONGEST_NAME) {
        const rest = chunk.subarray(from, from + LONGEST_NAME - this.#held.length);
        this.#held = Buffer.concat([this.#held, rest]);
      }
      this.#heldBytes += chunk.length - from;
      this.#heldBlank ||= chunk.includes(SPACE, from);
      return chunk.length;
    }
    this.#inString = false;
    const length = this.#heldBytes + end - from;
    const isName = this.#depth === 1 && length < LONGEST_NAME;
    if (length > LEAST_FILE_BYTES && this.#isFile(chunk, from, end)) this.#fileBytes += length;
    this.#lastString = isName ? decode(this.#textOf(chunk, from, end)) : undefined;
    if (this.#key === 'model') this.#model ??= this.#lastString;
    this.#held = NOTHING;
    this.#heldBytes = 0;
    this.#heldBlank = false;
    return end + 1;
  }

  #isFile(chunk: Buffer, from: number, end: number): boolean {
    if (this.#heldBlank || chunk.subarray(from, end).includes(SPACE)) return false;
    return FILE_START.test(this.#textOf(chunk, from, Math.min(end, from + LONGEST_NAME)));
  }

  /** The string as far as `end`, with what is held of it. */
  #textOf(chunk: Buffer, from: number, end: number): string {
    if (this.#heldBytes === 0) return chunk.toString('utf8', from, end);
    return Buffer.concat([this.#held, chunk.subarray(from, end)]).toString('utf8');
  }

  /** The place of the quote that closes the string; -1 where it is in a later chunk. */
  #closingQuote(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at += 1;
    }
    const short = Math.min(chunk.length, at + SHORT_STRING);
    for (; at < short; at += 1) {
      const byte = chunk[at];
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) at += 1;
    }
    let quote = -1;
    while (at < chunk.length) {
      // Each is looked for once behind the last one found: a string may consist of nothing but backslashes.
      if (quote < at) quote = placeOf(chunk, QUOTE, at);
      if (this.#backslash < at) this.#backslash = placeOf(chunk, BACKSLASH, at);
      if (this.#backslash >= quote) return quote === chunk.length ? -1 : quote;
      at = this.#backslash + 2;
    }
    // The last byte was a backslash.
    this.#escaped = at > chunk.length;
    return -1;
  }
}

/** Of the next such byte; behind the chunk where there is none. */
function placeOf(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at === -1 ? chunk.length : at;
}

function decode(raw: string): string {
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
