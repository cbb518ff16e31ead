/** Finds the top-level `model` string of a JSON body while it passes by. Looks at the first bytes only and parses nothing else. */

export interface JsonModelScanner {
  push(chunk: Uint8Array): void;
  /** The model's name, once it has been seen. */
  model(): string | undefined;
}

/** @param lookBytes how far into the body to look. */
export function createJsonModelScanner(lookBytes: number): JsonModelScanner {
  let seenBytes = 0;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let text: number[] = [];
  let lastString = '';
  let key = '';
  let model: string | undefined;

  const onString = () => {
    lastString = decode(text);
    text = [];
    if (depth === 1 && key === 'model') model ??= lastString;
  };

  const onByte = (byte: number) => {
    if (inString) {
      if (escaped) escaped = false;
      else if (byte === BACKSLASH) escaped = true;
      else if (byte === QUOTE) {
        inString = false;
        onString();
        return;
      }
      // Longer strings are prompts, not names.
      if (text.length < 512) text.push(byte);
      return;
    }
    if (byte === QUOTE) inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    else if (byte === COLON && depth === 1) key = lastString;
    else if (byte === COMMA && depth === 1) key = '';
  };

  return {
    push: (chunk) => {
      if (model !== undefined || seenBytes >= lookBytes) return;
      seenBytes += chunk.byteLength;
      for (const byte of chunk) {
        onByte(byte);
        if (isFound(model)) return;
      }
    },
    model: () => model,
  };
}

/** Asked through a call: the compiler cannot know that a callback sets the name. */
function isFound(model: string | undefined): boolean {
  return model !== undefined;
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
