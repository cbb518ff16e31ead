/** One connection to a provider, which carries one call at a time: writes its request, reads the answer, and knows whether another may follow. */
import type { Socket } from 'node:net';
import type { UpstreamHeaders } from '../../../actors/relay/upstream.ts';
import type { Dial } from './dial.ts';
import type { HeaderNames } from './header-names.ts';
import { ResponseParser } from './response-parser.ts';

/** The call that a connection carries. After `onEnd` and `onLost` it hears nothing more of it. */
export interface Carried {
  readonly isHead: boolean;
  /** The head of the request has been written. */
  readonly isBegun: boolean;
  /** So has everything else. */
  readonly isSent: boolean;
  onOpen(): void;
  /** What was written has been taken. */
  onDrained(): void;
  onHead(status: number, headers: UpstreamHeaders): void;
  /** The memory is taken back when this returns. */
  onData(bytes: Buffer): void;
  onEnd(): void;
  onLost(error: Error): void;
}

export interface ConnectionOwner {
  /** It carries nothing any more, and may be used again. */
  onFree(connection: Connection): void;
  /** Nothing of it is left open. */
  onClosed(connection: Connection): void;
}

export interface ConnectionParts {
  readonly dial: Dial;
  readonly owner: ConnectionOwner;
  /** Names of the headers that are read. */
  readonly names: HeaderNames;
  readonly bornMs: number;
}

const SLAB_BYTES = 64 * 1024;
/**
 * Where all connections write from, a piece after the other: what is written is copied into it, and the system takes nearly all of it at once. Where
 * it does not, and over TLS, the socket has these bytes for a while, and those behind them take their place. So no memory is made for what passes.
 */
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);

function giveAway(bytes: number): void {
  slab = slab.subarray(bytes);
  if (slab.length < SLAB_BYTES / 2) slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
}

export class Connection {
  readonly bornMs: number;
  /** When it stops being worth another call; set by its owner. */
  keptUntilMs = 0;
  /** It has carried a call before: the provider may have given it up in the meantime. */
  isReused = false;
  readonly #owner: ConnectionOwner;
  readonly #parser: ResponseParser;
  readonly #socket: Socket;
  #call: Carried | undefined;
  /** The call wants no more of the answer for now. */
  #isPaused = false;
  #isReading = true;
  /** The provider has sent its last byte, which may still have to be handed on. */
  #isEnded = false;
  #isClosed = false;
  #error: Error | undefined;

  constructor({ dial, owner, names, bornMs }: ConnectionParts, call: Carried) {
    this.bornMs = bornMs;
    this.#owner = owner;
    this.#parser = new ResponseParser(names);
    this.#call = call;
    this.#socket = dial({ onRead: (bytes) => this.#onRead(bytes), onOpen: () => this.#call?.onOpen() });
    this.#socket.on('drain', () => this.#call?.onDrained());
    this.#socket.once('end', () => this.#onEnded());
    this.#socket.on('error', (error) => {
      this.#error = inWords(error);
      // Of what is no TLS in the middle of an answer Node.js tells, and leaves the connection open.
      this.#socket.destroy();
    });
    this.#socket.once('close', () => this.#onClosed());
  }

  get isUsable(): boolean {
    return !this.#isEnded && !this.#socket.destroyed;
  }

  get keepAliveMs(): number | undefined {
    return this.#parser.keepAliveMs;
  }

  /** For one that is free. */
  carry(call: Carried): void {
    this.isReused = true;
    this.#call = call;
  }

  /** To be called before the head of a request is written. */
  expectAnswer(toHead: boolean): void {
    this.#parser.begin(toHead);
  }

  /**
   * Writes at once. The text is latin1, and the chunk's memory is the caller's again when it returns. False where the system refused it because
   * the connection is gone: no byte of it has left this machine. The call hears of that later.
   */
  send(before: string, chunk: Uint8Array | undefined, after: string): boolean {
    const socket = this.#socket;
    const isBehind = socket.writableLength > 0;
    if (chunk === undefined) socket.write(before + after, 'latin1');
    else if (isBehind || before.length > SLAB_BYTES / 4) socket.write(inOnePiece(before, chunk, after));
    else return this.#sendPieces(before, chunk, after);
    return this.#isSound;
  }

  /** A write that fails at once shows at once. */
  get #isSound(): boolean {
    return this.#socket.errored === null && !this.#socket.destroyed;
  }

  /** False where the first piece was refused. Before a later one is, the provider may have read the head, and have begun. */
  #sendPieces(before: string, chunk: Uint8Array, after: string): boolean {
    let filled = slab.write(before, 'latin1');
    for (let sent = 0; ;) {
      const piece = chunk.subarray(sent, sent + slab.length - filled);
      slab.set(piece, filled);
      filled += piece.length;
      sent += piece.length;
      const isLast = sent === chunk.length && filled + after.length <= slab.length;
      if (isLast) filled += slab.write(after, filled, 'latin1');
      this.#socket.write(slab.subarray(0, filled));
      if (!this.#isSound) return sent > piece.length;
      const isTaken = this.#socket.writableLength === 0;
      if (!isTaken) giveAway(filled);
      if (isLast) return true;
      filled = 0;
      if (isTaken) continue;
      this.#socket.write(inOnePiece('', chunk.subarray(sent), after));
      return true;
    }
  }

  /** More may be sent before what was is taken. */
  get hasRoom(): boolean {
    return !this.#socket.writableNeedDrain;
  }

  pause(): void {
    this.#isPaused = true;
    if (!this.#isReading) return;
    this.#isReading = false;
    this.#socket.pause();
  }

  /** What was kept is delivered behind this call, not within it. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    queueMicrotask(() => {
      if (!this.#isPaused) this.#deliver();
    });
  }

  /** Ends the connection at once. A call that it carries is told why. */
  close(error: Error): void {
    this.#socket.destroy();
    const call = this.#call;
    this.#call = undefined;
    call?.onLost(error);
  }

  /** Ends it for the call that it carries, which hears nothing more. */
  drop(): void {
    this.#call = undefined;
    this.#socket.destroy();
  }

  #onRead(bytes: Buffer): void {
    // Nobody asked: what comes is no answer of ours, and would be taken for the next one's.
    if (this.#call?.isBegun !== true) {
      this.close(new Error('The provider spoke without being asked.'));
      return;
    }
    this.#parser.feed(bytes);
    if (this.#isPaused) this.#parser.keep();
    else this.#deliver();
  }

  #onEnded(): void {
    this.#isEnded = true;
    if (this.#call?.isBegun !== true) this.close(new Error('The provider closed the connection.'));
    else if (!this.#isPaused) this.#deliver();
  }

  #onClosed(): void {
    this.#isClosed = true;
    this.#owner.onClosed(this);
    // What had arrived is still handed on, once it is wanted.
    if (!this.#isPaused) this.#deliver();
  }

  /** Hands on what can be read, as far as it is wanted. */
  #deliver(): void {
    const call = this.#call;
    if (call === undefined) return;
    try {
      while (!this.#isPaused) {
        switch (this.#parser.read()) {
          case 'head':
            call.onHead(this.#parser.status, this.#parser.headers);
            break;
          case 'data':
            call.onData(this.#parser.data);
            break;
          case 'end':
            this.#finish(call);
            return;
          case 'more':
            this.#readOn(call);
            return;
        }
        // It was given up by what it was told.
        if (this.#call !== call) return;
      }
      this.#parser.keep();
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Everything that arrived was handed on. */
  #readOn(call: Carried): void {
    if (this.#isEnded && this.#error === undefined && call.isBegun) {
      this.#parser.finish();
      this.#finish(call);
    } else if (this.#isClosed) this.close(this.#error ?? new Error('The connection was closed.'));
    else this.#restart();
  }

  #restart(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#socket.resume();
  }

  #finish(call: Carried): void {
    this.#call = undefined;
    const parser = this.#parser;
    const isClean = call.isSent && this.#socket.writableLength === 0 && !parser.hasRest && !this.#isEnded;
    if (isClean && parser.keepsConnection && this.isUsable) {
      this.#restart();
      this.#owner.onFree(this);
    } else this.#socket.destroy();
    call.onEnd();
  }
}

/** Node.js reports a name that has several addresses, none of which can be reached, without a word. */
function inWords(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  return new Error(error.errors.map(String).join(', '), { cause: error });
}

function inOnePiece(before: string, chunk: Uint8Array, after: string): Buffer {
  const whole = Buffer.allocUnsafe(before.length + chunk.length + after.length);
  whole.write(before, 0, 'latin1');
  whole.set(chunk, before.length);
  whole.write(after, before.length + chunk.length, 'latin1');
  return whole;
}
