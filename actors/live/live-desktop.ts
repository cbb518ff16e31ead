/** The desktop's end of a live transcription: whichever socket it has at the moment, how long it has had none, and what it was told over all of them. */
import { LIMITS } from '../../config/limits.ts';
import { CLOSE } from '../sessions/desktop-protocol.ts';
import type { LiveServerMessage } from './live-protocol.ts';

/** A desktop's open socket. Does nothing once it is closed. */
export interface LiveSocket {
  readonly bufferedBytes: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

export class LiveDesktop {
  #socket: LiveSocket | undefined;
  /** Infinity while there is a socket. */
  #aloneSinceMs: number;
  /** The desktop closed its socket itself: it is not waited for. */
  #hasLeft = false;
  #heard = 0;
  #bytesOut = 0;

  constructor(nowMs: number) {
    this.#aloneSinceMs = nowMs;
  }

  get isThere(): boolean {
    return this.#socket !== undefined;
  }

  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** It has had no socket for longer than one is waited for. */
  isGone(nowMs: number): boolean {
    return this.#hasLeft || nowMs - this.#aloneSinceMs > LIMITS.live.lingerMs;
  }

  has(socket: LiveSocket): boolean {
    return this.#socket === socket;
  }

  /** The newest socket counts. `heard`: what its first message says of that. */
  arrive(socket: LiveSocket, heard: number): void {
    this.#socket?.close(CLOSE.replaced, 'A newer socket of this transcription has opened.');
    this.#socket = socket;
    this.#aloneSinceMs = Infinity;
    this.#hasLeft = false;
    this.#heard = heard;
  }

  leave(nowMs: number, isForGood: boolean): void {
    this.#socket = undefined;
    this.#aloneSinceMs = nowMs;
    this.#hasLeft = isForGood;
  }

  /** What was passed on, where that is more than it knows of. */
  acknowledge(heard: number, nowMs: number): void {
    if (heard === this.#heard) return;
    this.#heard = heard;
    this.say({ type: 'heard', messages: heard }, nowMs);
  }

  /** Does nothing while there is no socket: what must not be missed is told again over the next. */
  say(message: LiveServerMessage, nowMs: number): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (socket.bufferedBytes > LIMITS.live.unreadBytes) {
      this.leave(nowMs, false);
      socket.close(CLOSE.slowConsumer, 'The desktop does not keep up.');
      return;
    }
    const text = JSON.stringify(message);
    this.#bytesOut += Buffer.byteLength(text);
    socket.send(text);
  }

  close(code: number): void {
    this.#socket?.close(code, '');
  }
}
