/**
 * Takes one event out of a chat's stream: the account that was asked for in the client's place, which has usage and no choices. Everything
 * else passes unchanged, each byte as soon as its event is known to be another one, and each event at its end at the latest.
 */
import { LIMITS } from '../../config/limits.ts';
import { GrowingBytes } from './growing-bytes.ts';

const LF = 0x0a;
const CR = 0x0d;
const NOTHING: Buffer = Buffer.alloc(0);

/** Where the choices begin in every stream that is known. */
const ALWAYS_BYTES = 1_024;

export class UsageFilter {
  /** The event so far, while it may be the account. */
  readonly #held = new GrowingBytes();
  /** Held bytes from which on it is worth another look whether it is. */
  #lookFrom = 0;
  #isOther = false;
  #lineIsEmpty = true;
  #afterCr = false;
  /** The line feed that may follow belongs to an event that was taken out. */
  #dropsLf = false;

  /** Returns what passes now; of the chunk's own memory, which is the caller's again after that. */
  push(chunk: Buffer): Buffer {
    if (this.#isBetweenEvents() && isWholeEvents(chunk) && !mayHoldAccount(chunk)) return chunk;
    const passed: Buffer[] = [];
    let from = 0;
    let lineFrom = 0;
    const breaks = new LineBreaks(chunk);
    for (let at = breaks.next(0); at !== -1; at = breaks.next(lineFrom)) {
      const isEmpty = this.#lineIsEmpty && at === lineFrom;
      const isSecondHalf = this.#afterCr && isEmpty && chunk[at] === LF;
      lineFrom = at + 1;
      this.#lineIsEmpty = true;
      this.#afterCr = chunk[at] === CR;
      if (isSecondHalf) {
        if (at > from || this.#held.length > 0) continue;
        // It belongs to what was decided before it came.
        if (!this.#dropsLf) passed.push(chunk.subarray(at, at + 1));
        from = at + 1;
      } else if (isEmpty) {
        passed.push(this.#endEvent(chunk.subarray(from, at + 1)));
        from = at + 1;
      } else this.#dropsLf = false;
    }
    if (lineFrom < chunk.length) this.#lineIsEmpty = this.#afterCr = this.#dropsLf = false;
    if (from < chunk.length) passed.push(this.#continueEvent(chunk.subarray(from)));
    return passed.length === 1 ? (passed[0] ?? NOTHING) : Buffer.concat(passed);
  }

  /** The stream is over: returns what was held back. */
  flush(): Buffer {
    return this.#endEvent(NOTHING);
  }

  #isBetweenEvents(): boolean {
    return this.#lineIsEmpty && this.#held.length === 0 && !this.#isOther && !this.#afterCr && !this.#dropsLf;
  }

  /** The event that ends with `rest`: what passes of it. */
  #endEvent(rest: Buffer): Buffer {
    const event = this.#completed(rest);
    const isDropped = !this.#isOther && isAccount(event);
    this.#isOther = false;
    this.#dropsLf = isDropped;
    return isDropped ? NOTHING : event;
  }

  /** The event goes on behind `rest`: what passes of it by now. */
  #continueEvent(rest: Buffer): Buffer {
    if (!this.#isOther && !this.#turnsOutOther(rest)) {
      this.#held.append(rest);
      return NOTHING;
    }
    this.#isOther = true;
    return this.#completed(rest);
  }

  /** Looks at what is held and `rest`, unless that is long and has hardly grown: an event in tiny pieces must not be read with each of them. */
  #turnsOutOther(rest: Buffer): boolean {
    const length = this.#held.length + rest.length;
    if (length > LIMITS.relay.accountBytes) return true;
    if (length < this.#lookFrom) return false;
    if (length > ALWAYS_BYTES) this.#lookFrom = length + (length >> 3);
    return isKnownOther(this.#held.view().toString('latin1') + rest.toString('latin1'));
  }

  /** What is held, with `rest` behind it; nothing is held any more. */
  #completed(rest: Buffer): Buffer {
    this.#lookFrom = 0;
    if (this.#held.length === 0) return rest;
    this.#held.append(rest);
    return this.#held.take();
  }
}

/** Most chunks are: with line feeds, and an empty line at the end. */
function isWholeEvents(chunk: Buffer): boolean {
  const { length } = chunk;
  return length > 1 && chunk[length - 1] === LF && chunk[length - 2] === LF;
}

const USAGE = Buffer.from('"usage"', 'latin1');

/** False where no event of it can have a usage that is an object. What comes behind the word on another line is not looked for. */
function mayHoldAccount(chunk: Buffer): boolean {
  for (let at = chunk.indexOf(USAGE); at !== -1; at = chunk.indexOf(USAGE, at + 1)) {
    if (!isWithoutObject(chunk, at + USAGE.length)) return true;
  }
  return false;
}

/** Behind the word stands `: null`, as behind every word of a stream for which usage was asked. */
function isWithoutObject(chunk: Buffer, from: number): boolean {
  const colon = skipBlanks(chunk, from);
  return chunk[colon] === COLON && chunk[skipBlanks(chunk, colon + 1)] === SMALL_N;
}

function skipBlanks(chunk: Buffer, from: number): number {
  let at = from;
  while (chunk[at] === SPACE || chunk[at] === TAB) at += 1;
  return at;
}

const COLON = 0x3a;
const SMALL_N = 0x6e;
const SPACE = 0x20;
const TAB = 0x09;

/** Each is looked for once behind the last one found: a chunk may consist of nothing but ends of lines of one sort. */
class LineBreaks {
  readonly #chunk: Buffer;
  #lf = -1;
  #cr = -1;

  constructor(chunk: Buffer) {
    this.#chunk = chunk;
  }

  /** Where the next line ends, by a line feed or a carriage return; -1 where it does not yet. `from` only grows. */
  next(from: number): number {
    if (this.#lf < from) this.#lf = this.#find(LF, from);
    if (this.#cr < from) this.#cr = this.#find(CR, from);
    const at = Math.min(this.#lf, this.#cr);
    return at === Infinity ? -1 : at;
  }

  #find(byte: number, from: number): number {
    const at = this.#chunk.indexOf(byte, from);
    return at === -1 ? Infinity : at;
  }
}

/** Quotes inside of a JSON string are escaped, so that these are members and never words; comments are no data. */
function isKnownOther(event: string): boolean {
  const [, firstOfData = '{'] = /(?:^|[\r\n])data:[ \t]*(\S)/.exec(event) ?? [];
  return firstOfData !== '{' || /(?:^|[\r\n])data:[^\r\n]*"choices"\s*:\s*(?:[^\s[]|\[\s*[^\s\]])/.test(event);
}

function isAccount(event: Buffer): boolean {
  const data = event
    .toString('utf8')
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('\n');
  if (!data.includes('"usage"')) return false;
  try {
    const { choices, usage } = JSON.parse(data) as { readonly choices?: unknown; readonly usage?: unknown };
    return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null;
  } catch {
    return false;
  }
}
