/**
 * The client's body on its way in: held in a bounded queue until the provider takes it. Makes the client wait when the queue
 * is full, keeps uWebSockets.js from ending slow uploads by its own rule, and reads a waiting client now and then, because
 * its departure is not reported while it is paused. What is too slow is judged in `exchange.ts`.
 */
import { LIMITS } from '../../config/limits.ts';
import type { ByteBudget } from '../http/server/byte-budget.ts';
import type { NativeResponse } from '../http/server/native-response.ts';

/** A client that is silent for this long needs its connection's timer restarted by us; one that sends restarts it itself. */
const QUIET_MS = 2_000;

export interface Upload {
  readonly receivedBytes: number;
  /** The last byte has arrived. */
  readonly complete: boolean;
  readonly queuedBytes: number;
  readonly paused: boolean;
  readonly lastArrivalMs: number;
  /** The next chunk, oldest first. */
  take(): Buffer | undefined;
  /** Every chunk still queued, without taking it. */
  queued(): readonly Buffer[];
  /** Puts `bytes` in place of those from `start` to `end` of the client's body, none of which may be taken yet. */
  splice(start: number, end: number, bytes: Buffer): void;
  /** Throws away what is queued and what still comes; the newest `onBytes` hears of the latter. */
  discard(onBytes?: (isLast: boolean) => void): void;
  /** To be called a few times a second. */
  poll(nowMs: number): void;
}

export interface UploadParts {
  readonly hasBody: boolean;
  /** The client is made to wait where more than this is held. */
  readonly bufferBytes: number;
  /** Shared by all uploads: a client that must wait is still read to the end of what its connection holds, some 10 MB. */
  readonly budget: ByteBudget;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Hears of every chunk that was queued, and of the end. */
  readonly onArrival: (chunk: Buffer) => void;
  /** The budget is spent and a chunk was lost: the upload can only be discarded. */
  readonly onOverflow: () => void;
}

/** Must be called before the route callback returns. */
export function createUpload(
  response: NativeResponse,
  { hasBody, bufferBytes, budget, now, onArrival, onOverflow }: UploadParts,
): Upload {
  const { uploadPollBytes, uploadPollMs } = LIMITS.relay;
  let queue: Buffer[] = [];
  let discarding: ((isLast: boolean) => void) | undefined;
  let pausedAtMs = 0;
  let takenBytes = 0;
  const state = { receivedBytes: 0, complete: !hasBody, queuedBytes: 0, paused: false, lastArrivalMs: now() };

  const unpause = () => {
    if (!state.paused) return;
    state.paused = false;
    // While it was kept waiting it could send nothing: its silence begins now.
    state.lastArrivalMs = now();
    response.resume();
  };

  response.onData((memory, isLast) => {
    state.receivedBytes += memory.byteLength;
    state.lastArrivalMs = now();
    state.complete = isLast;
    if (discarding !== undefined) {
      discarding(isLast);
    } else if (!budget.take(memory.byteLength)) {
      onOverflow();
    } else {
      // The memory is taken back when this callback returns.
      const chunk = Buffer.from(new Uint8Array(memory));
      if (chunk.length > 0) {
        queue.push(chunk);
        state.queuedBytes += chunk.length;
      }
      onArrival(chunk);
    }
    if (isLast || response.isOver) return;
    if (state.queuedBytes > bufferBytes) {
      response.pause();
      state.paused = true;
      pausedAtMs = now();
    } else response.restartTimer();
  });

  return {
    get receivedBytes() {
      return state.receivedBytes;
    },
    get complete() {
      return state.complete;
    },
    get queuedBytes() {
      return state.queuedBytes;
    },
    get paused() {
      return state.paused;
    },
    get lastArrivalMs() {
      return state.lastArrivalMs;
    },
    take: () => {
      const chunk = queue.shift();
      if (chunk === undefined) return undefined;
      state.queuedBytes -= chunk.length;
      budget.giveBack(chunk.length);
      takenBytes += chunk.length;
      if (state.queuedBytes <= bufferBytes / 2) unpause();
      return chunk;
    },
    queued: () => queue,
    splice: (start, end, bytes) => {
      const body = Buffer.concat(queue);
      const parts = [body.subarray(0, start - takenBytes), bytes, body.subarray(end - takenBytes)];
      queue = parts.filter((part) => part.length > 0);
      const addedBytes = bytes.length - (end - start);
      state.queuedBytes += addedBytes;
      // A few bytes of our own, which nothing is refused for.
      budget.giveBack(-addedBytes);
    },
    discard: (onBytes) => {
      discarding = onBytes ?? discarding ?? (() => undefined);
      queue = [];
      budget.giveBack(state.queuedBytes);
      state.queuedBytes = 0;
      unpause();
    },
    poll: (nowMs) => {
      if (state.paused) {
        if (nowMs - pausedAtMs >= uploadPollMs && state.queuedBytes < uploadPollBytes) unpause();
      } else if (!state.complete && nowMs - state.lastArrivalMs >= QUIET_MS) {
        // A speaker may pause for longer than the ten seconds of uWebSockets.js; how long is judged by the exchange.
        response.restartTimer();
      }
    },
  };
}
