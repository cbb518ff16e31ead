/**
 * Collects one request body up to a limit. Re-arms uWebSockets.js' upload timer with every chunk, because the built-in
 * rule (16 kB/s over 10 s) would end slow but honest uploads; the deadline here takes its place.
 */
import type { Clock } from '../../../actors/ports/clock.ts';
import { VelloError } from '../../../config/errors.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { NativeResponse } from './native-response.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest wait for the last byte. */
  readonly deadlineMs: number;
  /** Shared by bodies that are collected at once. */
  readonly budget?: ByteBudget;
}

export interface BodyCollector {
  /** The whole body. @throws VelloError `PAYLOAD_TOO_LARGE`, `UNAVAILABLE` when too much is collected at once, or `BAD_REQUEST` when it did not arrive in time. */
  read(): Promise<Buffer>;
  /** The connection is gone: settles a pending read. */
  abort(): void;
  /** The answer is out: what still comes is dropped. */
  release(): void;
}

/** Must be called before the route handler first awaits: later, chunks would be lost. */
export function collectBody(response: NativeResponse, limits: BodyLimits, clock: Clock): BodyCollector {
  const chunks: Buffer[] = [];
  let receivedBytes = 0;
  let outcome: Buffer | VelloError | undefined;
  let wake: (() => void) | undefined;
  let isReleased = false;
  let heldBytes = 0;
  const letGo = () => {
    chunks.length = 0;
    limits.budget?.giveBack(heldBytes);
    heldBytes = 0;
  };

  const settle = (result: Buffer | VelloError) => {
    if (outcome !== undefined) return;
    outcome = result;
    // A whole body stays in memory until its request is answered.
    if (result instanceof VelloError) letGo();
    else chunks.length = 0;
    timer.cancel();
    wake?.();
  };
  const timer = clock.setTimer(limits.deadlineMs, () =>
    settle(new VelloError('BAD_REQUEST', `The body did not arrive within ${limits.deadlineMs / 1000} s.`)),
  );

  response.onData((chunk, isLast) => {
    if (isReleased) return;
    receivedBytes += chunk.byteLength;
    if (receivedBytes > limits.maxBytes) {
      settle(new VelloError('PAYLOAD_TOO_LARGE', `At most ${limits.maxBytes} bytes are taken here.`));
    } else if (outcome === undefined) {
      if (limits.budget?.take(chunk.byteLength) === false) {
        settle(new VelloError('UNAVAILABLE', 'Too much is being sent at once.', { retryAfterMs: 1000 }));
        return;
      }
      heldBytes += chunk.byteLength;
      // The chunk's memory is taken back when this callback returns.
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) settle(Buffer.concat(chunks, receivedBytes));
    }
    if (!isLast) response.restartTimer();
  });

  return {
    read: async () => {
      if (outcome === undefined) await new Promise<void>((resolve) => (wake = resolve));
      if (outcome instanceof VelloError || outcome === undefined) throw outcome ?? new VelloError('BAD_REQUEST');
      return outcome;
    },
    release: () => {
      isReleased = true;
      timer.cancel();
      letGo();
    },
    abort: () => settle(new VelloError('BAD_REQUEST', 'The connection closed before the body was complete.')),
  };
}
