/**
 * Follows the top level of a JSON object while it passes by: the `model` it names, where its members stand, and keys that are given twice,
 * of which some readers take the first value and some the last. Keeps nothing but the keys, and only the first of very many.
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

export interface JsonBodyScanner extends JsonShape {
  push(chunk: Uint8Array): void;
  /** The model's name, once it has been seen. */
  model(): string | undefined;
  /** Bytes so far, without strings that hold files rather than words. */
  textBytes(): number;
}

/** How long a string must be, and how it must begin, to be a file in base64 or the address that holds one. */
const LEAST_FILE_BYTES = 2_048;
const FILE_START = /^[\w+/=:;,.-]{64}/;

/** Longer strings are prompts, not names. */
const LONGEST_NAME = 512;
/** More than any request has. A key that comes later is not looked for again. */
const MOST_KEYS = 1_000;
const LONGEST_WORD = 5;

export interface JsonBodyListener {
  /** A key of the top level. What it throws ends the push. */
  onKey(key: string, isRepeated: boolean): void;
  /** A byte that no JSON in UTF-8 has. */
  onNul(): void;
}

export function createJsonBodyScanner(listener: JsonBodyListener): JsonBodyScanner {
  const members = new Map<string, JsonMember | undefined>();
  let depth = 0;
  let inString = false;
  let escaped = false;
  let text: number[] = [];
  let lastString: string | undefined;
  let key: string | undefined;
  let model: string | undefined;
  let lead: number[] = [];
  let stringBytes = 0;
  let textBytes = 0;
  let passedBytes = 0;
  let valueStart = 0;
  let literal = '';
  let closedAt: number | undefined;

  const beginMember = (at: number) => {
    key = lastString;
    valueStart = at;
    literal = '';
    if (key === undefined) return;
    const isRepeated = members.has(key);
    if (members.size < MOST_KEYS && !isRepeated) members.set(key, undefined);
    listener.onKey(key, isRepeated);
  };

  const endMember = (at: number) => {
    if (key !== undefined && members.has(key)) members.set(key, { start: valueStart, end: at, literal });
    key = lastString = undefined;
  };

  const onString = () => {
    const isName = depth === 1 && text.length < LONGEST_NAME;
    lastString = isName ? decode(text) : undefined;
    text = [];
    if (stringBytes > LEAST_FILE_BYTES && FILE_START.test(Buffer.from(lead).toString('latin1')))
      textBytes -= stringBytes;
    lead = [];
    stringBytes = 0;
    if (depth === 1 && key === 'model') model ??= lastString;
  };

  /** Where the string that is open ends, or the chunk does: prompts are long, and only their end is of interest. */
  const passString = (chunk: Buffer, from: number): number => {
    let at = from;
    while (at < chunk.length) {
      if (escaped) {
        escaped = false;
        keep(chunk[at]);
        at += 1;
        continue;
      }
      const quote = chunk.indexOf(QUOTE, at);
      const end = quote === -1 ? chunk.length : quote;
      const backslash = chunk.subarray(at, end).indexOf(BACKSLASH);
      const stop = backslash === -1 ? end : at + backslash + 1;
      stringBytes += stop - at;
      if (lead.length < 64) lead.push(...chunk.subarray(at, Math.min(stop, at + 64 - lead.length)));
      const kept = depth === 1 ? Math.min(stop, at + LONGEST_NAME - text.length) : at;
      for (let index = at; index < kept; index += 1) keep(chunk[index]);
      at = stop;
      if (backslash !== -1) escaped = true;
      else if (quote !== -1) {
        inString = false;
        onString();
        return at + 1;
      }
    }
    return at;
  };

  const keep = (byte: number | undefined) => {
    if (depth === 1 && byte !== undefined && text.length < LONGEST_NAME) text.push(byte);
  };

  return {
    push: (bytes) => {
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let at = 0;
      const before = passedBytes;
      passedBytes += chunk.length;
      textBytes += chunk.length;
      while (at < chunk.length) {
        if (inString) {
          at = passString(chunk, at);
          continue;
        }
        const byte = chunk[at];
        at += 1;
        if (byte === QUOTE) inString = true;
        else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
        else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
          depth -= 1;
          if (depth !== 0 || byte !== CLOSE_BRACE) continue;
          endMember(before + at - 1);
          closedAt ??= before + at - 1;
        } else if (byte === COLON && depth === 1) beginMember(before + at);
        else if (byte === 0) listener.onNul();
        else if (byte === COMMA && depth === 1) endMember(before + at - 1);
        else if (depth === 1 && byte !== undefined && byte > SPACE && literal.length < LONGEST_WORD)
          literal += String.fromCharCode(byte);
      }
    },
    member: (name) => members.get(name),
    closedAt: () => closedAt,
    model: () => model,
    textBytes: () => textBytes,
  };
}

function decode(bytes: readonly number[]): string {
  const raw = Buffer.from(bytes).toString('utf8');
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const SPACE = 0x20;
