/** Decides which recogniser works on which recording: by age and length, so that a long one does not hold up the short. Does not open or restart recognisers. */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import { createAudioLengthReader } from '../audio/audio-length.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Recogniser, Recognition, RecognitionOptions } from '../ports/speech-engine.ts';

export interface RecognitionPoolParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Metric label. */
  readonly engine: string;
  readonly limits?: { readonly waiting: number; readonly waitingBytes: number };
}

export interface RecognitionPool {
  /**
   * Recognises a recording as soon as a recogniser is free.
   * @throws VelloError `ENGINE_BUSY` with `retryAfterMs` when the queue is full, `SHUTTING_DOWN`, and what `Recogniser.recognise` throws
   */
  recognise(file: Uint8Array, options: RecognitionOptions): Promise<Recognition>;
  /** Gives the pool a recogniser to hand work to. Returns the way to take it back; the work it has is its owner's to end. */
  add(recogniser: Recogniser): () => void;
  /** Refuses what waits and what comes. Work under way goes on. */
  close(): void;
  /** Takes work again after `close`. */
  open(): void;
  counts(): { readonly busy: number; readonly idle: number; readonly waiting: number };
}

interface Waiting {
  readonly fileBytes: number;
  /** When it came, and as many milliseconds later as it may last: the least is next, and nobody waits for ever. */
  readonly dueMs: number;
  readonly start: (recogniser: Recogniser) => void;
  readonly refuse: (error: VelloError) => void;
}

/** A guess for `Retry-After` until there is something to average: a second of speech on one core. */
const firstGuessMsPerSecond = 100;
/** Longer recordings are refused, so that no claim counts for more. */
const longestSeconds = 3600;
const shortestRetryMs = 1000;
/** Weight of the newest recording in the running mean. */
const newest = 0.2;

export function createRecognitionPool(parts: RecognitionPoolParts): RecognitionPool {
  const { clock, metrics, engine, limits = LIMITS.recognition } = parts;
  const idle: Recogniser[] = [];
  const members = new Set<Recogniser>();
  const waiting = new Set<Waiting>();
  let waitingBytes = 0;
  let workingSeconds = 0;
  let msPerSecond = firstGuessMsPerSecond;
  let isOpen = true;

  const counts = () => ({ busy: members.size - idle.length, idle: idle.length, waiting: waiting.size });
  const count = (outcome: string) => metrics.count('vello_recognitions_total', { engine, outcome });
  metrics.onScrape(() => {
    const now = counts();
    metrics.gauge('vello_recognisers', { engine, state: 'busy' }, now.busy);
    metrics.gauge('vello_recognisers', { engine, state: 'idle' }, now.idle);
    metrics.gauge('vello_recognitions_waiting', { engine }, now.waiting);
  });

  function leave(entry: Waiting): void {
    if (waiting.delete(entry)) waitingBytes -= entry.fileBytes;
  }

  function next(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const entry of waiting) if (first === undefined || entry.dueMs < first.dueMs) first = entry;
    return first;
  }

  function assign(): void {
    for (let entry = next(); entry !== undefined; entry = next()) {
      const recogniser = idle.pop();
      if (recogniser === undefined) return;
      leave(entry);
      entry.start(recogniser);
    }
  }

  function free(recogniser: Recogniser): void {
    if (!members.has(recogniser)) return;
    idle.push(recogniser);
    assign();
  }

  /** A place in the queue comes free when the next recording under way ends. */
  function busy(): VelloError {
    const leftMs = (workingSeconds * msPerSecond) / Math.max(1, members.size);
    return new VelloError('ENGINE_BUSY', undefined, { retryAfterMs: Math.max(shortestRetryMs, leftMs) });
  }

  async function turn(fileBytes: number, seconds: number, signal: AbortSignal): Promise<Recogniser> {
    if (!isOpen) throw new VelloError('SHUTTING_DOWN');
    signal.throwIfAborted();
    const free = idle.pop();
    if (free !== undefined) return free;
    if (waiting.size >= limits.waiting || waitingBytes + fileBytes > limits.waitingBytes) throw busy();
    return new Promise((resolve, reject) => {
      const settle = () => {
        leave(entry);
        signal.removeEventListener('abort', abort);
      };
      const abort = () => {
        settle();
        reject(new DOMException('The recognition was abandoned.', 'AbortError'));
      };
      const entry: Waiting = {
        fileBytes,
        dueMs: clock.monotonicMs() + seconds * 1000,
        start: (recogniser) => {
          settle();
          resolve(recogniser);
        },
        refuse: (error) => {
          settle();
          reject(error);
        },
      };
      waiting.add(entry);
      waitingBytes += fileBytes;
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  async function work(
    recogniser: Recogniser,
    file: Uint8Array,
    seconds: number,
    options: RecognitionOptions,
  ): Promise<Recognition> {
    workingSeconds += seconds;
    try {
      const recognition = await recogniser.recognise(file, options);
      free(recogniser);
      return recognition;
    } catch (error) {
      // A broken one gets nothing more: its actor learns of the death only after the next recording would have been lost to it.
      if (outcomeOf(error) === 'failed') members.delete(recogniser);
      else free(recogniser);
      throw error;
    } finally {
      workingSeconds -= seconds;
    }
  }

  async function recognise(file: Uint8Array, options: RecognitionOptions): Promise<Recognition> {
    const askedMs = clock.monotonicMs();
    const seconds = expectedSeconds(file);
    try {
      const recogniser = await turn(file.length, seconds, options.signal);
      const startedMs = clock.monotonicMs();
      metrics.observe('vello_recognition_wait_seconds', { engine }, (startedMs - askedMs) / 1000);
      const recognition = await work(recogniser, file, seconds, options);
      const tookMs = clock.monotonicMs() - startedMs;
      if (recognition.audioSeconds > 0) msPerSecond += newest * (tookMs / recognition.audioSeconds - msPerSecond);
      metrics.observe('vello_recognition_seconds', { engine }, tookMs / 1000);
      metrics.count('vello_recognised_audio_seconds_total', { engine }, recognition.audioSeconds);
      count('ok');
      return recognition;
    } catch (error) {
      count(outcomeOf(error));
      throw error;
    }
  }

  return {
    recognise,
    add: (recogniser) => {
      members.add(recogniser);
      free(recogniser);
      return () => {
        members.delete(recogniser);
        const at = idle.indexOf(recogniser);
        if (at >= 0) idle.splice(at, 1);
      };
    },
    close: () => {
      isOpen = false;
      for (const entry of waiting) entry.refuse(new VelloError('SHUTTING_DOWN'));
    },
    open: () => {
      isOpen = true;
    },
    counts,
  };
}

/** As the gateway tells it from the recording's frames and bytes. */
function expectedSeconds(file: Uint8Array): number {
  const reader = createAudioLengthReader();
  reader.push(file);
  return Math.min(longestSeconds, reader.length().audioSeconds);
}

function outcomeOf(error: unknown): string {
  if (error instanceof VelloError)
    return error.code === 'ENGINE_BUSY' ? 'busy' : error.status < 500 ? 'refused' : 'failed';
  return error instanceof DOMException && error.name === 'AbortError' ? 'aborted' : 'failed';
}
