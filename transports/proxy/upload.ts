/**
 * The client's body on its way in: held in a bounded queue until the provider takes it. Makes the client wait when the queue
 * is full, keeps uWebSockets.js from ending slow uploads by its own rule, and reads a waiting client now and then, because
 * its departure is not reported while it is paused. What is too slow is judged in `exchange.ts`.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ByteBudget } from '../http/server/byte-budget.ts';
import type { NativeResponse } from '../http/server/native-response.ts';

/** A client that is silent for this long needs its connection's timer restarted by us; one that sends restarts it itself. */
const QUIET_MS = 2_000;
/** It does so at most this often: each time is two calls into the system. */
const RESTART_MS = 1_000;

export interface UploadParts {
  readonly hasBody: boolean;
  /** The client is made to wait where more than this is held. */
  readonly bufferBytes: number;
  /** Shared by all uploads: a client that must wait is still read to the end of what its connection holds, some 10 MB. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  /** Hears of every chunk that was queued, and of the end. Its memory is taken back when this returns, also where `take` gave it. */
  readonly onArrival: (chunk: Buffer) => void;
  /** The budget is spent and a chunk was lost: the upload can only be discarded. */
  readonly onOverflow: () => void;
}

export class Upload {
  readonly #response: NativeResponse;
  readonly #parts: UploadParts;
  #queue: Buffer[] = [];
  #discarding: ((isLast: boolean) => void) | undefined;
  #pausedAtMs = 0;
  #takenBytes = 0;
  #receivedBytes = 0;
  #complete: boolean;
  #queuedBytes = 0;
  #paused = false;
  #lastArrivalMs: number;
  #restartedMs: number;

  /** Must be called before the route callback returns. */
  constructor(response: NativeResponse, parts: UploadParts) {
    this.#response = response;
    this.#parts = parts;
    this.#complete = !parts.hasBody;
    this.#lastArrivalMs = this.#restartedMs = parts.clock.monotonicMs();
    response.onData((memory, isLast) => this.#onData(memory, isLast));
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** The last byte has arrived. */
  get complete(): boolean {
    return this.#complete;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get lastArrivalMs(): number {
    return this.#lastArrivalMs;
  }

  /** The next chunk, oldest first, which must be used at once: where it has just arrived, its memory is taken back. */
  take(): Buffer | undefined {
    const chunk = this.#queue.shift();
    if (chunk === undefined) return undefined;
    this.#queuedBytes -= chunk.length;
    this.#parts.budget.giveBack(chunk.length);
    this.#takenBytes += chunk.length;
    if (this.#queuedBytes <= this.#parts.bufferBytes / 2) this.#unpause();
    return chunk;
  }

  /** Every chunk still queued, without taking it. */
  queued(): readonly Buffer[] {
    return this.#queue;
  }

  /** Puts `bytes` in place of those from `start` to `end` of the client's body, none of which may be taken yet. */
  splice(start: number, end: number, bytes: Buffer): void {
    const body = Buffer.concat(this.#queue);
    const parts = [body.subarray(0, start - this.#takenBytes), bytes, body.subarray(end - this.#takenBytes)];
    this.#queue = parts.filter((part) => part.length > 0);
    const addedBytes = bytes.length - (end - start);
    this.#queuedBytes += addedBytes;
    // A few bytes of our own, which nothing is refused for.
    this.#parts.budget.giveBack(-addedBytes);
  }

  /** Throws away what is queued and what still comes; the newest `onBytes` hears of the latter. */
  discard(onBytes?: (isLast: boolean) => void): void {
    this.#discarding = onBytes ?? this.#discarding ?? (() => undefined);
    this.#queue = [];
    this.#parts.budget.giveBack(this.#queuedBytes);
    this.#queuedBytes = 0;
    this.#unpause();
  }

  /** To be called a few times a second. */
  poll(nowMs: number): void {
    if (this.#paused) {
      const isDue = nowMs - this.#pausedAtMs >= LIMITS.relay.uploadPollMs;
      if (isDue && this.#queuedBytes < LIMITS.relay.uploadPollBytes) this.#unpause();
    } else if (!this.#complete && nowMs - this.#lastArrivalMs >= QUIET_MS) {
      // A speaker may pause for longer than the ten seconds of uWebSockets.js; how long is judged by the exchange.
      this.#response.restartTimer();
    }
  }

  #onData(memory: ArrayBuffer, isLast: boolean): void {
    const { budget, bufferBytes, clock, onArrival, onOverflow } = this.#parts;
    this.#receivedBytes += memory.byteLength;
    this.#lastArrivalMs = clock.monotonicMs();
    this.#complete = isLast;
    if (this.#discarding !== undefined) {
      this.#discarding(isLast);
    } else if (!budget.take(memory.byteLength)) {
      onOverflow();
    } else {
      const chunk = Buffer.from(memory);
      if (chunk.length > 0) {
        this.#queue.push(chunk);
        this.#queuedBytes += chunk.length;
      }
      try {
        onArrival(chunk);
      } finally {
        this.#keep(chunk);
      }
    }
    if (isLast || this.#response.isOver) return;
    if (this.#queuedBytes > bufferBytes) {
      this.#response.pause();
      this.#paused = true;
      this.#pausedAtMs = this.#lastArrivalMs;
    } else if (this.#lastArrivalMs - this.#restartedMs >= RESTART_MS) {
      this.#restartedMs = this.#lastArrivalMs;
      this.#response.restartTimer();
    }
  }

  /** Copies the newest chunk, whose memory is taken back, unless it was taken at once: then it costs no copy here. */
  #keep(chunk: Buffer): void {
    const newest = this.#queue.length - 1;
    if (this.#queue[newest] === chunk) this.#queue[newest] = Buffer.from(chunk);
  }

  #unpause(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // While it was kept waiting it could send nothing: its silence begins now.
    this.#lastArrivalMs = this.#parts.clock.monotonicMs();
    this.#response.resume();
  }
}
