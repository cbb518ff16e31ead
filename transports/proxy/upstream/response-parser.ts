/**
 * Reads a provider's answers as they come off its connection, in pieces that may end anywhere (RFC 9112). What two readers could take for two
 * different answers is refused: behind it, the answer to one request would be given to another. Pulled by `read`, so that it can be left alone
 * at any step.
 */
import type { UpstreamHeaders } from '../../../actors/relay/upstream.ts';
import { LIMITS } from '../../../config/limits.ts';
import { HeaderNames } from './header-names.ts';

/** `more`: feed it; `head`: see `status` and `headers`; `data`: see `data`; `end`: the answer is complete. */
export type AnswerStep = 'more' | 'head' | 'data' | 'end';

/** What came is no answer that can be relied on. Nothing can be read behind it. */
export class AnswerFault extends Error {}

type State =
  /** Lines, each of which ends with CRLF. */
  | 'status'
  | 'fields'
  | 'chunk-size'
  | 'chunk-end'
  | 'trailers'
  /** Bytes of the body. */
  | 'counted'
  | 'chunk'
  | 'until-close'
  | 'over';

const [TAB, LF, CR, SPACE, COLON, SEMICOLON] = [0x09, 0x0a, 0x0d, 0x20, 0x3a, 0x3b] as const;
const nothing = Buffer.alloc(0);
const versionBytes = Buffer.from('HTTP/1.');

const tableOf = (pattern: RegExp) =>
  Uint8Array.from({ length: 256 }, (_, byte) => +pattern.test(String.fromCharCode(byte)));
/** RFC 9110 §5.6.2. */
const isToken = tableOf(/[!#$%&'*+.^_`|~\w-]/);
/** Visible characters, blanks, and bytes beyond ASCII (RFC 9110 §5.5). */
const isText = tableOf(/[\t\x20-\x7e\x80-\xff]/);

/** Larger chunks are not worth moving. */
const JOINED_BYTES = 4 * 1024;
const JOINED_DIGITS = 6;

/** How an answer is framed, and what becomes of its connection: read here, and of no interest to anyone above but the length. */
const OF_FRAMING = ['content-length', 'transfer-encoding', 'connection', 'keep-alive'];

/** For parsers that report the headers with these names, in lower case. */
export const namesToReport = (wanted: Iterable<string>): HeaderNames => new HeaderNames([...wanted, ...OF_FRAMING]);

export class ResponseParser {
  status = 0;
  headers: UpstreamHeaders = {};
  /** Stands in what was fed. */
  data: Buffer = nothing;
  /** How long the provider says that it keeps the connection, where it does. */
  keepAliveMs: number | undefined;

  readonly #names: HeaderNames;
  #state: State = 'over';
  #toHead = false;
  #bytes: Buffer = nothing;
  #at = 0;
  /** The beginning of a line that has not ended. */
  #held: Buffer = nothing;
  /** The line that was taken, without its end. */
  #line: Buffer = nothing;
  #lineFrom = 0;
  #lineTo = 0;
  /** Bytes that lines may still have. */
  #lineBytesLeft = 0;
  /** Of the body, or of the chunk. */
  #bytesLeft = 0;

  #isOld = false;
  #fields: Record<string, string | string[]> = {};
  #length: number | undefined;
  #isChunked = false;
  #saysClose = false;
  #saysKeepAlive = false;

  /** @param names see `namesToReport`; parsers share them */
  constructor(names: HeaderNames) {
    this.#names = names;
  }

  /** An answer is expected. `toHead`: to a HEAD request, so that it has no body whatever its head says (RFC 9112 §6.3). */
  begin(toHead: boolean): void {
    this.#toHead = toHead;
    this.#lineBytesLeft = LIMITS.upstream.headBytes;
    this.#expectHead();
  }

  #expectHead(): void {
    this.#state = 'status';
    this.#fields = {};
    this.#length = undefined;
    this.#isChunked = this.#saysClose = this.#saysKeepAlive = false;
    this.keepAliveMs = undefined;
  }

  /** Adds bytes to read, which are the parser's, also to move, until `read` returns `more` or `keep` is called. */
  feed(bytes: Buffer): void {
    this.#bytes = this.hasRest ? Buffer.concat([this.#bytes.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
  }

  /** Copies what is not read yet: the memory is needed for something else. */
  keep(): void {
    this.#bytes = this.hasRest ? Buffer.from(this.#bytes.subarray(this.#at)) : nothing;
    this.#at = 0;
  }

  /** Something was fed that is not read; behind the end of an answer it is nobody's. */
  get hasRest(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** The answer leaves its connection usable (RFC 9112 §9.3). Known from the head on. */
  get keepsConnection(): boolean {
    return !this.#saysClose && (!this.#isOld || this.#saysKeepAlive);
  }

  /** @throws AnswerFault */
  read(): AnswerStep {
    for (;;) {
      switch (this.#state) {
        case 'status':
          if (!this.#takeLine()) return 'more';
          this.#readStatusLine();
          break;
        case 'fields':
          if (!this.#takeLine()) return 'more';
          if (this.#lineFrom < this.#lineTo) this.#readField();
          else if (this.#endHead()) return 'head';
          break;
        case 'counted':
          if (this.#bytesLeft === 0) return this.#end();
          return this.#takeData();
        case 'until-close':
          return this.#takeData();
        case 'chunk-size':
          if (!this.#takeLine()) return 'more';
          this.#readChunkSize();
          break;
        case 'chunk':
          if (this.#bytesLeft > 0) return this.#takeChunks();
          this.#expectLine('chunk-end', 2);
          break;
        case 'chunk-end':
          if (!this.#takeLine()) return 'more';
          if (this.#lineFrom < this.#lineTo) throw new AnswerFault('A chunk is longer than its size.');
          this.#expectLine('chunk-size', LIMITS.upstream.chunkLineBytes);
          break;
        case 'trailers':
          if (!this.#takeLine()) return 'more';
          if (this.#lineFrom === this.#lineTo) return this.#end();
          this.#readFieldName();
          break;
        case 'over':
          return 'more';
      }
    }
  }

  /** The connection has ended, and everything was read. @throws AnswerFault where that does not end the answer */
  finish(): void {
    if (this.#state !== 'until-close') throw new AnswerFault('The connection ended before the answer did.');
    this.#end();
  }

  #end(): AnswerStep {
    this.#state = 'over';
    return 'end';
  }

  #takeData(): AnswerStep {
    const available = this.#bytes.length - this.#at;
    if (available === 0) return 'more';
    const taken = Math.min(available, this.#bytesLeft);
    this.data = this.#bytes.subarray(this.#at, this.#at + taken);
    this.#at += taken;
    this.#bytesLeft -= taken;
    return 'data';
  }

  /** One chunk, and those behind it that arrived with it. */
  #takeChunks(): AnswerStep {
    const step = this.#takeData();
    // Of a chunk that has not arrived whole nothing is left to look at.
    while (step === 'data' && this.#joinChunk());
    return step;
  }

  /**
   * Moves the next chunk up behind the data before it, so that the words of a stream that come together are passed on together. False for one
   * that is not small and plain, or has not arrived: it is read line by line.
   */
  #joinChunk(): boolean {
    const bytes = this.#bytes;
    let at = this.#at + 2;
    if (bytes[at - 2] !== CR || bytes[at - 1] !== LF) return false;
    let size = 0;
    const latest = at + JOINED_DIGITS;
    for (let value = hexDigit(bytes[at]); value >= 0 && at < latest; value = hexDigit(bytes[at])) {
      size = size * 16 + value;
      at += 1;
    }
    const isPlain = size > 0 && size < JOINED_BYTES && bytes[at] === CR && bytes[at + 1] === LF;
    const from = at + 2;
    if (!isPlain || from + size > bytes.length) return false;
    const start = this.data.byteOffset - bytes.byteOffset;
    const end = start + this.data.length;
    bytes.copyWithin(end, from, from + size);
    this.data = bytes.subarray(start, end + size);
    this.#at = from + size;
    return true;
  }

  #expectLine(state: State, mostBytes: number): void {
    this.#state = state;
    this.#lineBytesLeft = mostBytes;
  }

  /** False where the line has not ended. Only CRLF ends one: a bare LF or CR is where readers differ (RFC 9112 §2.2). */
  #takeLine(): boolean {
    const bytes = this.#bytes;
    const from = this.#at;
    let to = from;
    while (to < bytes.length && bytes[to] !== LF) to += 1;
    const isWhole = to < bytes.length;
    if (isWhole) to += 1;
    this.#at = to;
    this.#lineBytesLeft -= to - from;
    if (this.#lineBytesLeft < 0) throw new AnswerFault('A line, or all of them, are too long.');
    if (this.#held.length === 0 && isWhole) {
      this.#line = bytes;
      this.#lineFrom = from;
      this.#lineTo = to - 2;
    } else {
      const line = Buffer.concat([this.#held, bytes.subarray(from, to)]);
      this.#held = isWhole ? nothing : line;
      if (!isWhole) return false;
      this.#line = line;
      this.#lineFrom = 0;
      this.#lineTo = line.length - 2;
    }
    if (this.#lineTo < this.#lineFrom || this.#line[this.#lineTo] !== CR) {
      throw new AnswerFault('A line ends with a line feed alone.');
    }
    return true;
  }

  /** RFC 9112 §4. The blank behind the status is required, but many leave it out where they say nothing behind it. */
  #readStatusLine(): void {
    const line = this.#line;
    const from = this.#lineFrom;
    const to = this.#lineTo;
    for (let at = 0; at < versionBytes.length; at += 1) {
      if (line[from + at] !== versionBytes[at]) throw new AnswerFault('The answer is not HTTP/1.');
    }
    const minor = digit(line[from + 7]);
    const status = digit(line[from + 9]) * 100 + digit(line[from + 10]) * 10 + digit(line[from + 11]);
    const isMalformed = (minor !== 0 && minor !== 1) || line[from + 8] !== SPACE || !(status >= 100 && status < 600);
    if (isMalformed || (to > from + 12 && line[from + 12] !== SPACE))
      throw new AnswerFault('The status line is malformed.');
    requireText(line, from + 12, to);
    this.#isOld = minor === 0;
    this.status = status;
    this.#state = 'fields';
  }

  /** Returns where the name ends. Refused: a blank before the colon (RFC 9112 §5.1), and a line that continues the one before (§5.2). */
  #readFieldName(): number {
    const line = this.#line;
    let colon = this.#lineFrom;
    while (isToken[line[colon] ?? 0] === 1) colon += 1;
    if (colon === this.#lineFrom || line[colon] !== COLON) throw new AnswerFault('The name of a header is malformed.');
    requireText(line, colon + 1, this.#lineTo);
    return colon;
  }

  #readField(): void {
    const line = this.#line;
    const colon = this.#readFieldName();
    const name = this.#names.find(line, this.#lineFrom, colon);
    if (name === undefined) return;
    let from = colon + 1;
    let to = this.#lineTo;
    while (from < to && isBlank(line[from])) from += 1;
    while (from < to && isBlank(line[to - 1])) to -= 1;
    const value = line.toString('utf8', from, to);
    switch (name) {
      case 'transfer-encoding':
        // Any other coding would have to be undone before the body is one (RFC 9112 §6.1).
        if (this.#isChunked || value.toLowerCase() !== 'chunked')
          throw new AnswerFault('Transfer-Encoding is not "chunked".');
        this.#isChunked = true;
        return;
      case 'connection':
        for (const option of value.toLowerCase().split(',')) {
          if (option.trim() === 'close') this.#saysClose = true;
          if (option.trim() === 'keep-alive') this.#saysKeepAlive = true;
        }
        return;
      case 'keep-alive':
        this.keepAliveMs = readTimeoutMs(value);
        return;
      case 'content-length':
        // RFC 9112 §6.3 lets a length that is repeated pass; nobody needs it.
        if (this.#length !== undefined) throw new AnswerFault('Content-Length is given more than once.');
        this.#length = readLength(value);
        this.#fields[name] = value;
        return;
      default: {
        const before = this.#fields[name];
        this.#fields[name] = before === undefined ? value : [before, value].flat();
      }
    }
  }

  /** False where the answer is an interim one, which is not reported. What follows the head: RFC 9112 §6.3, in its order. */
  #endHead(): boolean {
    const { status } = this;
    if (this.#isChunked && (this.#length !== undefined || this.#isOld)) {
      throw new AnswerFault('Transfer-Encoding beside Content-Length, or in HTTP/1.0.');
    }
    if (status === 101) throw new AnswerFault('The provider changed to a protocol that nobody asked for.');
    if (status < 200) {
      this.#expectHead();
      return false;
    }
    this.headers = this.#fields;
    if (this.#toHead || status === 204 || status === 304) this.#expectBody('counted', 0);
    else if (this.#isChunked) this.#expectLine('chunk-size', LIMITS.upstream.chunkLineBytes);
    else if (this.#length !== undefined) this.#expectBody('counted', this.#length);
    else {
      this.#saysClose = true;
      this.#expectBody('until-close', Infinity);
    }
    return true;
  }

  #expectBody(state: State, bytes: number): void {
    this.#state = state;
    this.#bytesLeft = bytes;
  }

  /** RFC 9112 §7.1. What an extension says is ignored; it must not hide a line break. */
  #readChunkSize(): void {
    const line = this.#line;
    const to = this.#lineTo;
    let at = this.#lineFrom;
    let size = 0;
    for (let value = hexDigit(line[at]); at < to && value >= 0; value = hexDigit(line[at])) {
      size = size * 16 + value;
      if (size > Number.MAX_SAFE_INTEGER) throw new AnswerFault('A chunk is larger than any.');
      at += 1;
    }
    if (at === this.#lineFrom) throw new AnswerFault('A chunk has no size.');
    requireText(line, at, to);
    const isBare = at === to;
    while (at < to && isBlank(line[at])) at += 1;
    if (!isBare && line[at] !== SEMICOLON) throw new AnswerFault('The size of a chunk is malformed.');
    if (size > 0) this.#expectBody('chunk', size);
    else this.#expectLine('trailers', LIMITS.upstream.headBytes);
  }
}

const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;

function requireText(line: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    if (isText[line[at] ?? 0] === 0) throw new AnswerFault('A line has a control character.');
  }
}

/** NaN for anything else. */
function digit(byte: number | undefined): number {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : NaN;
}

/** -1 for anything else. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function readLength(value: string): number {
  const length = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(length)) throw new AnswerFault('Content-Length is not a number of bytes.');
  return length;
}

function readTimeoutMs(keepAlive: string): number | undefined {
  const seconds = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i.exec(keepAlive)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
