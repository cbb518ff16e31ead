/**
 * The only holder of a uWebSockets.js response. A native response that is touched after its end, and an exception that leaves a native
 * callback, both end the process: here the first does nothing, and the second costs this one request and a line in the log.
 */
import { STATUS_CODES } from 'node:http';
import type { HttpResponse as Raw, us_socket_context_t } from '#uws';
import type { Held } from './native-socket.ts';

/** What a WebSocket upgrade is answered with: the client's own words, and the context of the route. */
export interface UpgradeAnswer {
  readonly key: string;
  readonly protocol: string;
  readonly extensions: string;
  readonly context: us_socket_context_t;
}

const LINE_BREAK = /[\r\n\0]/;
const LINE_BREAKS = /[\r\n\0]/g;

export class NativeResponse {
  readonly #raw: Raw;
  readonly #onFault: (error: unknown) => void;
  readonly #isLast: () => boolean;
  #isOver = false;
  #isChunked = false;
  #onAborted: (() => void) | undefined;
  #onFree: (() => void) | undefined;
  /** The callback that delivered the request has not returned: nothing has left yet, not even the native go-ahead to an `Expect`. */
  isFirstTurn = true;
  /** Headers that belong to this answer whatever it will be. */
  everyHead: Readonly<Record<string, string>> | undefined;

  /**
   * `onFault` hears of every exception that a callback let out; the connection is closed by then. Must not throw. Where `isLast` says so
   * when the head is written, the client is told to send no other request on this connection.
   */
  constructor(raw: Raw, onFault: (error: unknown) => void, isLast: () => boolean = () => false) {
    this.#raw = raw;
    this.#onFault = onFault;
    this.#isLast = isLast;
    raw.onAborted(() => {
      this.#isOver = true;
      try {
        this.#onFree?.();
        this.#onAborted?.();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** Answered whole, upgraded, closed, or left by the client: no call has an effect any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The client is to send no other request on this connection. */
  get isLast(): boolean {
    return this.#isLast();
  }

  /** Runs what native code calls. An exception closes the connection, so that `onAborted` cleans up as after a departure. */
  guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#onFault(error);
    try {
      this.close();
    } catch (second) {
      this.#onFault(second);
    }
  }

  /** The client is gone, or `close` was called. Not called after a complete answer. The newest handler counts. */
  onAborted(handler: () => void): void {
    this.#onAborted = handler;
  }

  /** Hears of the body also after the answer is out; the chunk's memory is taken back when the handler returns. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    if (this.#isOver) return;
    this.#raw.onData((chunk, isLast) => {
      try {
        handler(chunk, isLast);
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** The handler returns false while it has still more to write. */
  onWritable(handler: () => boolean): void {
    if (this.#isOver) return;
    this.#raw.onWritable(() => {
      try {
        return handler();
      } catch (error) {
        this.#fail(error);
        return true;
      }
    });
  }

  /** Called as well when the client leaves: for a writer that waits for the socket. */
  onceFree(handler: () => void): void {
    if (this.#isOver) handler();
    else this.#onFree = handler;
  }

  remoteAddress(): string {
    return this.#isOver ? '' : Buffer.from(this.#raw.getRemoteAddressAsText()).toString('latin1');
  }

  pause(): void {
    if (!this.#isOver) this.#raw.pause();
  }

  resume(): void {
    if (!this.#isOver) this.#raw.resume();
  }

  /** Restarts uWebSockets.js' timer, which would end an upload of less than 16 kB/s after ten seconds. */
  restartTimer(): void {
    this.pause();
    this.resume();
  }

  /** What `write` writes within it leaves in one packet. Not run when the answer is over. */
  cork(write: () => void): void {
    if (!this.#isOver) this.#raw.cork(write);
  }

  writeStatus(status: number): void {
    if (this.#isOver) return;
    // 200 is what native code begins with by itself.
    if (status !== 200) this.#raw.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Status'}`);
    if (this.#isLast()) this.#raw.writeHeader('Connection', 'close');
  }

  /** A value with a line break would let its author write headers of his own: such characters become spaces. */
  writeHeader(name: string, value: string): void {
    if (!this.#isOver) this.#raw.writeHeader(name, LINE_BREAK.test(value) ? value.replace(LINE_BREAKS, ' ') : value);
  }

  /** A chunk of an answer without announced length. False means to wait for `onWritable`. */
  write(chunk: string | Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#isChunked = true;
    return this.#raw.write(chunk);
  }

  /** A part of an answer of `totalBytes`: whether the socket took all of it, and whether the answer is complete. */
  tryEnd(chunk: Uint8Array, totalBytes: number): [ok: boolean, done: boolean] {
    if (this.#isOver) return [true, true];
    const [ok, done] = this.#raw.tryEnd(chunk, totalBytes);
    if (done) this.#isOver = true;
    return [ok, done];
  }

  writeOffset(): number {
    return this.#isOver ? 0 : this.#raw.getWriteOffset();
  }

  /**
   * `close` closes the connection behind the answer; only for an answer whose head this call writes as well. What the client does not take
   * is kept back, and one that asks for more before it has taken it loses its connection: native code would keep every answer for it.
   */
  end(body?: string | Uint8Array, close = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (body === undefined || close || this.#isChunked) this.#raw.end(body, close);
    else this.#endInParts(typeof body === 'string' ? Buffer.from(body) : body);
  }

  #endInParts(body: Uint8Array): void {
    const [, isDone] = this.#raw.tryEnd(body, body.length);
    if (isDone) return;
    this.#raw.onWritable((offset) => {
      let isOut = true;
      this.guard(() => this.#raw.cork(() => ([, isOut] = this.#raw.tryEnd(body.subarray(offset), body.length))));
      return isOut;
    });
  }

  /** To HEAD the connection ends as well: of its answers none could be kept back. */
  endWithoutBody(reportedBytes?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // An `undefined` that is handed on is announced as a length of 2^63.
    if (reportedBytes === undefined) this.#raw.endWithoutBody();
    else this.#raw.endWithoutBody(reportedBytes, reportedBytes > 0);
  }

  /** Cuts the connection, which tells the client that the answer is incomplete. */
  close(): void {
    if (!this.#isOver) this.#raw.close();
  }

  upgrade(data: unknown, { key, protocol, extensions, context }: UpgradeAnswer): void {
    if (this.#isOver) return;
    this.#raw.cork(() => {
      this.#isOver = true;
      this.#raw.upgrade<Held<unknown>>({ data, socket: undefined }, key, protocol, extensions, context);
    });
  }
}
