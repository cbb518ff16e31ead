/**
 * Collects one request body up to a limit. Re-arms uWebSockets.js' upload timer with every chunk, because the built-in
 * rule (16 kB/s over 10 s) would end slow but honest uploads; the deadline here takes its place.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import { VelloError } from '../../config/errors.ts';
import type { NativeResponse } from './native-response.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest wait for the last byte. */
  readonly deadlineMs: number;
}

export interface BodyCollector {
  /** The whole body. @throws VelloError `PAYLOAD_TOO_LARGE`, or `BAD_REQUEST` when it did not arrive in time. */
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

  const settle = (result: Buffer | VelloError) => {
    if (outcome !== undefined) return;
    outcome = result;
    chunks.length = 0;
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
      chunks.length = 0;
    },
    abort: () => settle(new VelloError('BAD_REQUEST', 'The connection closed before the body was complete.')),
  };
}
