/**
 * What a desktop sent and the provider has not been given yet, in order: bounded, and passed on no faster than a provider can be expected
 * to take it. Counts what was passed on, which is what is charged.
 */
import { LIMITS } from '../../config/limits.ts';
import { frameSeconds } from './live-audio.ts';
import type { LiveClientMessage, LiveFormat } from './live-protocol.ts';

export type LiveInput = LiveClientMessage | { readonly type: 'audio'; readonly frame: Uint8Array };

interface Waiting {
  readonly input: LiveInput;
  readonly seconds: number;
  readonly bytes: number;
}

/** What a message without audio takes of the pace, so that thousands of them a second reach no provider. */
const MESSAGE_SECONDS = 0.1;

export class LiveIntake {
  readonly #format: LiveFormat;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  /** Frames and messages that were passed on. */
  heard = 0;
  #seconds = 0;
  /** Seconds that may be passed on now, and since when that is so. */
  #allowed: number = LIMITS.live.aheadSeconds;
  #allowedAtMs: number;

  constructor(format: LiveFormat, nowMs: number) {
    this.#format = format;
    this.#allowedAtMs = nowMs;
  }

  /** Of audio that was passed on, to the microsecond: what a sum of so many fractions is good for. */
  get seconds(): number {
    return Math.round(this.#seconds * 1e6) / 1e6;
  }

  /** Keeps a copy. `malformed`: no frame of the format. `full`: the desktop did not heed its window. */
  put(input: LiveInput): 'kept' | 'malformed' | 'full' {
    const isAudio = input.type === 'audio';
    const seconds = isAudio ? frameSeconds(this.#format, input.frame) : 0;
    if (seconds === undefined) return 'malformed';
    const bytes = (isAudio ? input.frame.length : 0) + LIMITS.live.frameOverheadBytes;
    if (this.#queuedBytes + bytes > LIMITS.live.queuedBytes) return 'full';
    this.#queuedBytes += bytes;
    const kept = isAudio ? { ...input, frame: new Uint8Array(input.frame) } : input;
    this.#queue.push({ input: kept, seconds, bytes });
    return 'kept';
  }

  /** The next that may be passed on, which counts as heard; undefined where there is none, or none yet. */
  next(nowMs: number): LiveInput | undefined {
    if (this.waitMs(nowMs) !== 0) return undefined;
    const first = this.#queue.shift();
    if (first === undefined) return undefined;
    this.#queuedBytes -= first.bytes;
    this.heard += 1;
    this.#seconds += first.seconds;
    this.#allowed -= Math.max(first.seconds, first.input.type === 'audio' ? 0 : MESSAGE_SECONDS);
    return first.input;
  }

  /** Milliseconds until the first that waits may be passed on; undefined where nothing waits. */
  waitMs(nowMs: number): number | undefined {
    if (this.#queue.length === 0) return undefined;
    const { aheadSeconds, secondsPerSecond } = LIMITS.live;
    const gained = ((nowMs - this.#allowedAtMs) / 1000) * secondsPerSecond;
    this.#allowed = Math.min(aheadSeconds, this.#allowed + gained);
    this.#allowedAtMs = nowMs;
    return this.#allowed > 0 ? 0 : Math.ceil((-this.#allowed / secondsPerSecond) * 1000) + 1;
  }

  /** What was not passed on is forgotten: a desktop with a new socket sends it again. */
  forget(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
  }
}
