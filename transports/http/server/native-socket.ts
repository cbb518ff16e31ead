/** The only holder of a WebSocket of uWebSockets.js: any call on a closed one would throw inside native code, here it does nothing. */
import type { WebSocket as Raw } from '#uws';

/** What uWebSockets.js keeps with each socket: what the upgrade gave, and the wrapper once the socket is open. */
export interface Held<T> {
  readonly data: T;
  socket: NativeSocket<T> | undefined;
}

export class NativeSocket<T> {
  readonly data: T;
  readonly #raw: Raw<Held<T>>;
  #isClosed = false;

  constructor(raw: Raw<Held<T>>) {
    this.#raw = raw;
    this.data = raw.getUserData().data;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** To be called when native code reports the close, before anything else. */
  markClosed(): void {
    this.#isClosed = true;
  }

  /** Bytes that the client has not taken yet. */
  get bufferedBytes(): number {
    return this.#isClosed ? 0 : this.#raw.getBufferedAmount();
  }

  send(message: string | Uint8Array, isBinary: boolean): void {
    if (!this.#isClosed) this.#raw.cork(() => this.#raw.send(message, isBinary));
  }

  close(code: number, reason: string): void {
    if (!this.#isClosed) this.#raw.end(code, reason);
  }
}
