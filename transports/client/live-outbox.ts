/**
 * What a desktop said and the gateway has not acknowledged, in order and numbered over all sockets of one transcription: after a loss it is said
 * again from there. Bounded; whoever fills it waits.
 */
import type { LiveClientMessage } from '../../actors/live/live-protocol.ts';

export type LiveOutgoing = Uint8Array | LiveClientMessage;

/** Three minutes of the usual PCM. */
const MOST_BYTES = 8 * 1024 * 1024;
const MESSAGE_BYTES = 64;

export class LiveOutbox {
  #waiting: LiveOutgoing[] = [];
  #bytes = 0;
  /** Number of the first that waits. */
  #heard = 0;
  /** How many of those that wait were said over the present socket, and their bytes. */
  #said = 0;
  #saidBytes = 0;

  get isFull(): boolean {
    return this.#bytes >= MOST_BYTES;
  }

  /** Audio is among what waits. */
  get hasAudio(): boolean {
    return this.#waiting.some((one) => one instanceof Uint8Array);
  }

  put(message: LiveOutgoing): void {
    this.#waiting.push(message);
    this.#bytes += bytesOf(message);
  }

  /** The next to be said, which counts as said; undefined where there is none, or the gateway wants to hear less. */
  next(windowBytes: number): LiveOutgoing | undefined {
    const message = this.#waiting[this.#said];
    if (message === undefined || (this.#said > 0 && this.#saidBytes + bytesOf(message) > windowBytes)) return undefined;
    this.#said += 1;
    this.#saidBytes += bytesOf(message);
    return message;
  }

  /** Everything before that number was passed on. Nobody can have heard what was not said. */
  acknowledge(heard: number): void {
    const count = Math.max(0, Math.min(this.#said, heard - this.#heard));
    const gone = this.#waiting.splice(0, count).reduce((sum, message) => sum + bytesOf(message), 0);
    this.#heard += count;
    this.#bytes -= gone;
    this.#said -= count;
    this.#saidBytes -= gone;
  }

  /** A new socket: all that was not heard is said again. */
  rewind(heard: number): void {
    this.acknowledge(heard);
    this.#said = 0;
    this.#saidBytes = 0;
  }

  /** A new transcription, which counts anew and hears what this one did not. */
  restart(): void {
    this.#heard = 0;
    this.rewind(0);
  }
}

const bytesOf = (message: LiveOutgoing): number => (message instanceof Uint8Array ? message.length : MESSAGE_BYTES);
