/**
 * Hands recordings to recognisers, fairly between callers, and bounds what waits. A long recording lets others go first at each
 * border between two of its pieces. Does not open or restart recognisers.
 */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import { createAudioLengthReader } from '../audio/audio-length.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Recogniser, Recognition, RecognitionOptions } from './speech-engine.ts';
import { createFairQueue, type FairEntry } from './fair-queue.ts';

export interface RecognitionPoolParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Metric label. */
  readonly engine: string;
  readonly limits?: RecognitionLimits;
}

export interface RecognitionLimits {
  readonly waiting: number;
  readonly waitingBytes: number;
  readonly waitingOfOne: number;
  readonly waitingBytesOfOne: number;
  readonly begun: number;
}

export interface RecognitionPoolOptions extends Omit<RecognitionOptions, 'onBorder'> {
  /** Between whom the work is shared out; callers without a name are one. */
  readonly caller?: string;
}

export interface RecognitionPool {
  /**
   * Recognises a recording as soon as it is its turn.
   * @throws VelloError `AUDIO_TOO_LONG` at once where its frames say so; `ENGINE_BUSY` with `retryAfterMs` when the queue, or the
   * caller's share of it, is full; `SHUTTING_DOWN`; and what `Recogniser.recognise` throws
   */
  recognise(file: Uint8Array, options: RecognitionPoolOptions): Promise<Recognition>;
  /** Gives the pool a recogniser to hand work to. Returns the way to take it back; the work it has is its owner's to end. */
  add(recogniser: Recogniser): () => void;
  /** Refuses what waits and what comes. Work under way goes on. */
  close(): void;
  /** Takes work again after `close`. */
  open(): void;
  counts(): { readonly busy: number; readonly idle: number; readonly waiting: number };
}

interface Job extends FairEntry {
  readonly fileBytes: number;
  /** Undefined until its first turn. */
  recogniser: Recogniser | undefined;
  /** Begins the work, or lets it go on. */
  go: (recogniser: Recogniser) => void;
  refuse: (error: Error) => void;
  /** What was heard up to the last border, and how long the work took up to there. */
  heardSeconds: number;
  workedMs: number;
  turnStartedMs: number;
}

/** A guess for `Retry-After` until there is something to average: a second of speech on one core. */
const FIRST_GUESS_MS_PER_SECOND = 100;
const SHORTEST_RETRY_MS = 1000;
/** Weight of the newest recording in the running mean. */
const NEWEST = 0.2;

export function createRecognitionPool(parts: RecognitionPoolParts): RecognitionPool {
  const { clock, metrics, engine, limits = LIMITS.recognition } = parts;
  /** What each recogniser works on; undefined while it is idle. */
  const members = new Map<Recogniser, Job | undefined>();
  const waiting = new Set<Job>();
  /** Had a turn, and wait for the next. */
  const atBorder = new Set<Job>();
  const queue = createFairQueue<Job>();
  let msPerSecond = FIRST_GUESS_MS_PER_SECOND;
  let isOpen = true;

  function counts() {
    const idle = [...members.values()].filter((job) => job === undefined).length;
    return { busy: members.size - idle, idle, waiting: waiting.size };
  }
  const count = (outcome: string) => metrics.count('vello_recognitions_total', { engine, outcome });
  metrics.onScrape(() => {
    const now = counts();
    metrics.gauge('vello_recognisers', { engine, state: 'busy' }, now.busy);
    metrics.gauge('vello_recognisers', { engine, state: 'idle' }, now.idle);
    metrics.gauge('vello_recognitions_waiting', { engine }, now.waiting);
  });

  /** Those that this recogniser may turn to. What it has begun it keeps in memory, so that it begins only so much. */
  function* candidatesFor(recogniser: Recogniser): Generator<Job> {
    const begun = [...atBorder].filter((job) => job.recogniser === recogniser);
    yield* begun;
    const callers = new Set(begun.map(({ caller }) => caller));
    for (const job of waiting) if (begun.length < limits.begun || !callers.has(job.caller)) yield job;
  }

  function assign(): void {
    for (const [recogniser, current] of members) {
      if (current !== undefined) continue;
      const job = queue.choose(candidatesFor(recogniser));
      if (job === undefined) continue;
      waiting.delete(job);
      atBorder.delete(job);
      members.set(recogniser, job);
      job.recogniser = recogniser;
      job.turnStartedMs = clock.monotonicMs();
      job.go(recogniser);
    }
  }

  /** Its recogniser is free for the next turn, be it this job's own. */
  function endTurn(job: Job, heardSeconds: number): void {
    job.workedMs += clock.monotonicMs() - job.turnStartedMs;
    queue.settle(job, heardSeconds - job.heardSeconds);
    job.heardSeconds = heardSeconds;
    const { recogniser } = job;
    if (recogniser !== undefined && members.get(recogniser) === job) members.set(recogniser, undefined);
  }

  /** Places come free as fast as recordings like those that wait are worked off. */
  function busy(detail?: string): VelloError {
    const seconds = [...waiting].reduce((sum, job) => sum + job.leftSeconds, 0) / Math.max(1, waiting.size);
    const retryAfterMs = Math.max(SHORTEST_RETRY_MS, (seconds * msPerSecond) / Math.max(1, members.size));
    return new VelloError('ENGINE_BUSY', detail, { retryAfterMs });
  }

  function admit(fileBytes: number, caller: string): void {
    if (!isOpen) throw new VelloError('SHUTTING_DOWN');
    if (counts().idle > 0) return;
    const own = [...waiting].filter((job) => job.caller === caller);
    const bytesOf = (jobs: Iterable<Job>) => [...jobs].reduce((sum, job) => sum + job.fileBytes, fileBytes);
    if (waiting.size >= limits.waiting || bytesOf(waiting) > limits.waitingBytes) throw busy();
    if (own.length >= limits.waitingOfOne || bytesOf(own) > limits.waitingBytesOfOne) {
      throw busy('As many recordings of this caller are waiting as may.');
    }
  }

  /** Resolves with the recogniser once it is the job's turn. */
  function turn(job: Job, signal: AbortSignal): Promise<Recogniser> {
    return new Promise((resolve, reject) => {
      job.go = resolve;
      job.refuse = (error) => {
        waiting.delete(job);
        reject(error);
      };
      signal.addEventListener('abort', () => {
        job.refuse(new DOMException('The recognition was abandoned.', 'AbortError'));
      });
      waiting.add(job);
      assign();
    });
  }

  async function work(
    recogniser: Recogniser,
    job: Job,
    file: Uint8Array,
    options: RecognitionPoolOptions,
  ): Promise<Recognition> {
    const onBorder = (heardSeconds: number) =>
      new Promise<void>((resolve) => {
        endTurn(job, heardSeconds);
        job.go = () => resolve();
        atBorder.add(job);
        assign();
      });
    try {
      const recognition = await recogniser.recognise(file, { ...options, onBorder });
      endTurn(job, recognition.audioSeconds);
      return recognition;
    } catch (error) {
      // A broken one gets nothing more: its actor learns of the death only after the next recording would have been lost to it.
      // Of other failures no actor learns, and nobody would put the recogniser back.
      if (error instanceof VelloError && error.code === 'ENGINE_FAILED') members.delete(recogniser);
      atBorder.delete(job);
      endTurn(job, job.heardSeconds);
      throw error;
    }
  }

  async function recognise(file: Uint8Array, options: RecognitionPoolOptions): Promise<Recognition> {
    const askedMs = clock.monotonicMs();
    let job: Job | undefined;
    try {
      const leftSeconds = expectedSeconds(file);
      options.signal.throwIfAborted();
      const { caller = '' } = options;
      admit(file.length, caller);
      job = jobOf(caller, file.length, leftSeconds, askedMs);
      queue.enter(job);
      const recogniser = await turn(job, options.signal);
      metrics.observe('vello_recognition_wait_seconds', { engine }, (clock.monotonicMs() - askedMs) / 1000);
      const recognition = await work(recogniser, job, file, options);
      const { audioSeconds } = recognition;
      if (audioSeconds > 0) msPerSecond += NEWEST * (job.workedMs / audioSeconds - msPerSecond);
      metrics.observe('vello_recognition_seconds', { engine }, job.workedMs / 1000);
      metrics.count('vello_recognised_audio_seconds_total', { engine }, audioSeconds);
      count('ok');
      return recognition;
    } catch (error) {
      count(outcomeOf(error));
      throw error;
    } finally {
      if (job !== undefined) queue.leave(job);
      assign();
    }
  }

  return {
    recognise,
    add: (recogniser) => {
      members.set(recogniser, undefined);
      assign();
      return () => {
        members.delete(recogniser);
      };
    },
    close: () => {
      isOpen = false;
      for (const job of [...waiting]) job.refuse(new VelloError('SHUTTING_DOWN'));
    },
    open: () => {
      isOpen = true;
    },
    counts,
  };
}

const jobOf = (caller: string, fileBytes: number, leftSeconds: number, nowMs: number): Job => ({
  ...{ caller, fileBytes, leftSeconds },
  dueMs: nowMs + leftSeconds * 1000,
  recogniser: undefined,
  go: () => undefined,
  refuse: () => undefined,
  ...{ heardSeconds: 0, workedMs: 0, turnStartedMs: nowMs },
});

/** As the gateway tells it from the recording's frames and bytes. What they leave open is found out while decoding. */
function expectedSeconds(file: Uint8Array): number {
  const reader = createAudioLengthReader();
  reader.push(file);
  const { audioSeconds, source } = reader.length();
  const most = LIMITS.recognition.longestSeconds;
  if (source === 'header' && audioSeconds > most) {
    throw new VelloError('AUDIO_TOO_LONG', `Recordings may last up to ${most} seconds.`);
  }
  return Math.min(most, audioSeconds);
}

function outcomeOf(error: unknown): string {
  if (error instanceof VelloError)
    return error.code === 'ENGINE_BUSY' ? 'busy' : error.status < 500 ? 'refused' : 'failed';
  return error instanceof DOMException && error.name === 'AbortError' ? 'aborted' : 'failed';
}
