/** One call on its way to a provider: takes a connection, frames the body, and finds another connection while nothing of it can have been seen. */
import type { UpstreamCall, UpstreamHeaders, UpstreamListener } from '../../../actors/relay/upstream.ts';
import type { Carried, Connection } from './connection.ts';
import { createContentDecoder, type ContentDecoder } from './content-decoder.ts';

export interface CallParts {
  /** Request line and headers, with their end. Latin1. */
  readonly head: string;
  readonly isHead: boolean;
  /** Of the body, as `head` announces it; `undefined` makes it chunked. */
  readonly contentLength: number | undefined;
  readonly listener: UpstreamListener;
  /** A connection that is free, or a new one, which then calls `onOpen`; `undefined` when there will be none any more. */
  readonly board: (call: Carried) => Connection | undefined;
}

export class Call implements UpstreamCall, Carried {
  readonly isHead: boolean;
  isBegun = false;
  isSent = false;
  readonly #head: string;
  readonly #isChunked: boolean;
  readonly #listener: UpstreamListener;
  readonly #board: CallParts['board'];
  #connection: Connection | undefined;
  /** The connection may be written to: it is made, and its provider is who it should be. */
  #isOpen = false;
  /** The part of the body that begins the request, until it is sure to have left. */
  #first: Uint8Array | undefined;
  /** Of the announced body. */
  #bytesLeft: number;
  #isBodyWhole: boolean;
  /** The provider wants no more of the body. */
  #isRefused = false;
  #decoder: ContentDecoder | undefined;
  /** The listener wants no more for now. */
  #isPaused = false;
  /** Nor does the decoder. */
  #isDecoding = false;
  #isOver = false;

  constructor({ head, isHead, contentLength, listener, board }: CallParts) {
    this.#head = head;
    this.isHead = isHead;
    this.#isChunked = contentLength === undefined;
    this.#bytesLeft = contentLength ?? Infinity;
    this.#isBodyWhole = contentLength === 0;
    this.#listener = listener;
    this.#board = board;
  }

  /** Takes a connection. */
  start(): void {
    const connection = this.#board(this);
    this.#connection = connection;
    if (connection === undefined) this.#fail(new Error('No connection is made any more.'));
    else if (connection.isReused) this.onOpen();
  }

  write(chunk: Uint8Array, isLast: boolean): boolean {
    if (this.#isOver || this.#isRefused) return true;
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0 || (isLast && !this.#isChunked && this.#bytesLeft > 0)) {
      // What follows would be read as the next request, or the next request as what follows.
      this.#connection?.close(new Error('The body is not as long as was announced.'));
      return true;
    }
    this.#isBodyWhole = isLast;
    if (this.isBegun) return this.#send('', chunk);
    if (this.#isOpen && this.#first === undefined) {
      this.#first = chunk;
      return this.#begin();
    }
    // Another connection is awaited.
    this.#first = Buffer.concat([this.#first ?? noBytes, chunk]);
    return false;
  }

  end(): void {
    this.write(noBytes, true);
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
    this.#decoder?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#readOn();
    this.#decoder?.resume();
  }

  #readOn(): void {
    if (!this.#isPaused && !this.#isDecoding) this.#connection?.resume();
  }

  abort(): void {
    if (this.#isOver) return;
    this.#over();
    this.#connection?.drop();
  }

  onOpen(): void {
    this.#isOpen = true;
    if (this.isBegun) return;
    const hasRoom = this.#isBodyWhole || this.#first !== undefined ? this.#begin() : true;
    if (hasRoom && !this.#isBodyWhole) this.#listener.wanted();
  }

  /** Writes the head, and what there is of the body with it. */
  #begin(): boolean {
    this.isBegun = true;
    this.#connection?.expectAnswer(this.isHead);
    return this.#send(this.#head, this.#first);
  }

  #send(head: string, chunk: Uint8Array = noBytes): boolean {
    const connection = this.#connection;
    if (connection === undefined) return true;
    const isLast = this.#isBodyWhole;
    const isEmpty = chunk.length === 0;
    let [before, after] = [head, ''];
    if (this.#isChunked) {
      // A chunk without bytes would be the last (RFC 9112 §7.1).
      if (!isEmpty) {
        before += `${chunk.length.toString(16)}\r\n`;
        after = '\r\n';
      }
      if (isLast) after += LAST_CHUNK;
    }
    this.isSent = isLast;
    if (before === '' && after === '' && isEmpty) return true;
    if (connection.send(before, isEmpty ? undefined : chunk, after)) {
      this.#first = undefined;
      return connection.hasRoom;
    }
    this.isSent = false;
    // It did not begin here, and may begin elsewhere: with a copy, for the memory is the caller's.
    if (head !== '') {
      this.isBegun = false;
      if (this.#first !== undefined) this.#first = Buffer.from(this.#first);
    }
    return false;
  }

  onDrained(): void {
    if (!this.#isBodyWhole && !this.#isRefused) this.#listener.wanted();
  }

  onHead(status: number, headers: UpstreamHeaders): void {
    this.#isRefused = status >= 300 && !this.isSent;
    const coding = headers['content-encoding'];
    const codings = coding === undefined ? '' : [coding].flat().join(', ');
    if (codings === '' || /^\s*identity\s*$/i.test(codings)) {
      this.#listener.head(status, headers);
      return;
    }
    const { 'content-encoding': _coding, 'content-length': _codedLength, ...rest } = headers;
    this.#decoder = createContentDecoder(codings, {
      wanted: () => {
        this.#isDecoding = false;
        this.#readOn();
      },
      data: (chunk) => this.#listener.data(chunk),
      end: () => this.#end(),
      failed: (error) => {
        this.abort();
        this.#listener.failed({ reason: 'broken', error });
      },
    });
    this.#listener.head(status, rest);
  }

  onData(bytes: Buffer): void {
    if (this.#decoder === undefined) this.#listener.data(bytes);
    else if (!this.#decoder.push(bytes)) {
      this.#isDecoding = true;
      this.#connection?.pause();
    }
  }

  onEnd(): void {
    this.#connection = undefined;
    if (this.#decoder === undefined) this.#end();
    else this.#decoder.end();
  }

  onLost(error: Error): void {
    if (this.#connection !== undefined) this.#lost(this.#connection, error);
  }

  #lost(connection: Connection, error: Error): void {
    this.#connection = undefined;
    this.#isOpen = false;
    if (!this.isBegun && connection.isReused) {
      this.start();
      return;
    }
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#over();
    this.#listener.failed({ reason: this.isBegun ? 'broken' : 'connect', error });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#over();
    // Where the coded answer ended before the body did: nobody waits for the rest, nor judges how long it takes.
    this.#connection?.drop();
    this.#listener.end();
  }

  #over(): void {
    this.#isOver = true;
    this.#decoder?.destroy();
  }
}

const noBytes = new Uint8Array(0);
const LAST_CHUNK = '0\r\n\r\n';
