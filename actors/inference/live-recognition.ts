/**
 * One live call to our own engine: the ear tells what is speech, the pool recognises it, stretch by stretch and in order. What is still being
 * said is recognised as well while a recogniser has nothing else to do, so that its words can be told before their end.
 */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { Clock } from '../ports/clock.ts';
import { createAgreedWords, type AgreedWords } from './agreed-words.ts';
import type { Ear, Hearing, HearingListener, HearingOptions, Stretch } from './ear.ts';
import type { RecognitionPool } from './recognition-pool.ts';

export interface LiveRecognitionParts {
  readonly ear: Ear;
  readonly pool: Pick<RecognitionPool, 'recognise' | 'counts'>;
  readonly clock: Clock;
  /** Makes a file of samples at 16 kHz. */
  readonly toFile: (samples: Float32Array) => Uint8Array;
}

export interface LiveRecognitionOptions extends HearingOptions {
  readonly language: string;
  readonly caller: string;
  /** Each stretch is an item; otherwise an item ends where the caller says. */
  readonly findsTurns: boolean;
}

/** Items are numbered from 1, in the order in which they are said. */
export interface LiveRecognitionListener {
  began(item: number, startMs: number): void;
  stopped(item: number, endMs: number): void;
  /** Its audio is complete. */
  committed(item: number): void;
  delta(item: number, text: string): void;
  /** Once for every item that was committed, in order. `seconds`: of speech. */
  final(item: number, text: string, seconds: number): void;
  failed(item: number, error: VelloError): void;
  /** The commit of that name found nothing. */
  nothingToCommit(name?: string): void;
  /** It is over. */
  broken(error: VelloError): void;
}

export interface LiveRecognition {
  /** @returns false where the caller is so far ahead that it cannot be meant */
  hear(frame: Uint8Array): boolean;
  commit(name?: string): void;
  close(): void;
}

/** What is being said is looked at again when it has grown by a second, or by a quarter of what it was. */
const GROWTH_SECONDS = 1;
const GROWTH = 0.25;

interface Item {
  readonly number: number;
  readonly texts: string[];
  seconds: number;
  error: VelloError | undefined;
}

interface Job {
  readonly item: Item;
  /** Absent where only the end of the item waits for its turn. */
  readonly stretch?: Stretch;
  readonly isLast: boolean;
}

export function recogniseLive(
  parts: LiveRecognitionParts,
  options: LiveRecognitionOptions,
  listener: LiveRecognitionListener,
): LiveRecognition {
  const { pool, clock } = parts;
  const gone = new AbortController();
  const unheard: number[] = [];
  let unheardBytes = 0;
  /** Since the caller's last commit. */
  let hasHeard = false;
  let items = 0;
  let committed = 0;
  let open: Item | undefined;
  let hasBegun = false;
  const jobs: Job[] = [];
  let isWorking = false;
  let waitingSeconds = 0;

  /** Of what is being said. */
  let glimpse: { readonly words: AgreedWords; atSeconds: number; signal: AbortController | undefined } = anew();
  /** Glimpses that are on their way, and how many of them are of what was said before. */
  let asked = 0;
  let outdated = 0;
  function anew() {
    return { words: createAgreedWords(), atSeconds: 0, signal: undefined };
  }

  const fail = (error: VelloError) => {
    if (gone.signal.aborted) return;
    close();
    listener.broken(error);
  };

  const openItem = (): Item => {
    open ??= { number: ++items, texts: [], seconds: 0, error: undefined };
    return open;
  };

  const recognise = async (samples: Float32Array, signal: AbortSignal): Promise<string> => {
    const { caller, language } = options;
    const recognition = await pool.recognise(parts.toFile(samples), { signal, caller, language, isOneStretch: true });
    return recognition.text.trim();
  };

  /** A stretch without a word in it has none; one that finds no room, or loses its recogniser, is offered again. */
  const recogniseSurely = async (samples: Float32Array): Promise<string> => {
    const untilMs = clock.monotonicMs() + LIMITS.recognition.liveRetryMs;
    for (let losses = 0; ;) {
      try {
        return await recognise(samples, gone.signal);
      } catch (error) {
        if (!(error instanceof VelloError)) throw error;
        if (error.status < 500) return '';
        if (error.code === 'ENGINE_FAILED' && ++losses > 1) throw error;
        if (error.code !== 'ENGINE_FAILED' && error.code !== 'ENGINE_BUSY') throw error;
        if (clock.monotonicMs() > untilMs) throw error;
        if (error.code === 'ENGINE_BUSY') await pauseFor(error.extras.retryAfterMs ?? 0);
      }
    }
  };

  const pauseFor = (ms: number) =>
    new Promise<void>((resolve) => {
      const settle = () => {
        timer.cancel();
        gone.signal.removeEventListener('abort', settle);
        resolve();
      };
      const timer = clock.setTimer(ms, settle);
      gone.signal.addEventListener('abort', settle);
    });

  const workOff = async ({ item, stretch, isLast }: Job) => {
    if (stretch !== undefined) {
      const seconds = secondsOf(stretch);
      try {
        const text = await recogniseSurely(stretch.samples);
        item.seconds += seconds;
        if (text !== '') {
          if (!options.findsTurns) listener.delta(item.number, item.texts.length === 0 ? text : ` ${text}`);
          item.texts.push(text);
        }
      } catch (error) {
        if (gone.signal.aborted) return;
        item.error = error instanceof VelloError ? error : new VelloError('ENGINE_FAILED', undefined, { cause: error });
      } finally {
        waitingSeconds -= seconds;
      }
    }
    if (!isLast || gone.signal.aborted) return;
    if (item.error === undefined) listener.final(item.number, item.texts.join(' '), item.seconds);
    else listener.failed(item.number, item.error);
  };

  const work = async () => {
    isWorking = true;
    try {
      for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await workOff(job);
    } finally {
      isWorking = false;
    }
  };

  const add = (job: Job) => {
    jobs.push(job);
    if (!isWorking)
      void work().catch((error: unknown) => fail(new VelloError('ENGINE_FAILED', undefined, { cause: error })));
  };

  const commitItem = (item: Item) => {
    open = undefined;
    hasBegun = false;
    committed += 1;
    listener.committed(item.number);
  };

  /** Only while nobody else has use for a recogniser. */
  const look = (openSeconds: number) => {
    if (!options.findsTurns || glimpse.signal !== undefined || isWorking || pool.counts().idle === 0) return;
    if (openSeconds - glimpse.atSeconds < Math.max(GROWTH_SECONDS, glimpse.atSeconds * GROWTH)) return;
    glimpse.atSeconds = openSeconds;
    glimpse.signal = new AbortController();
    asked += 1;
    hearing.glimpse();
  };

  const tellGlimpse = async (mine: typeof glimpse, samples: Float32Array, signal: AbortSignal) => {
    const item = openItem();
    try {
      const delta = mine.words.add(await recognise(samples, AbortSignal.any([signal, gone.signal])));
      if (glimpse === mine && delta !== '') listener.delta(item.number, delta);
    } catch {
      // What is being said is heard again, and recognised for good when it was said.
    } finally {
      mine.signal = undefined;
    }
  };

  const ears: HearingListener = {
    began: (startMs) => {
      const { number } = openItem();
      if (!hasBegun) listener.began(number, startMs);
      hasBegun = true;
    },
    stretch: (stretch) => {
      glimpse.signal?.abort();
      glimpse = anew();
      outdated = asked;
      const item = openItem();
      waitingSeconds += secondsOf(stretch);
      if (waitingSeconds > LIMITS.recognition.liveWaitingSeconds) {
        fail(new VelloError('ENGINE_BUSY', 'The engine does not keep up with what is said.'));
        return;
      }
      if (options.findsTurns) {
        listener.stopped(item.number, stretch.endMs);
        commitItem(item);
      }
      add({ item, stretch, isLast: options.findsTurns });
    },
    heard: (openSeconds) => {
      unheardBytes -= unheard.shift() ?? 0;
      look(openSeconds);
    },
    cut: () => {
      const cut = cuts.shift();
      if (options.findsTurns) {
        if (cut?.committedBefore === committed) listener.nothingToCommit(cut.name);
        return;
      }
      const item = openItem();
      commitItem(item);
      add({ item, isLast: true });
    },
    glimpsed: (samples) => {
      asked -= 1;
      const { signal } = glimpse;
      if (outdated > 0) outdated -= 1;
      else if (samples === undefined || signal === undefined) glimpse.signal = undefined;
      else void tellGlimpse(glimpse, samples, signal.signal);
    },
    broken: fail,
  };
  /** Those that are on their way: how many items were committed when each was asked for, and by which commit. */
  const cuts: { readonly committedBefore: number; readonly name: string | undefined }[] = [];
  const hearing: Hearing = parts.ear.listen(options, ears);

  function close(): void {
    gone.abort();
    hearing.close();
  }

  return {
    hear: (frame) => {
      if (unheardBytes + frame.length > LIMITS.recognition.liveUnheardBytes) return false;
      unheard.push(frame.length);
      unheardBytes += frame.length;
      hasHeard = true;
      hearing.hear(frame);
      return true;
    },
    commit: (name) => {
      if (!hasHeard && !options.findsTurns) {
        listener.nothingToCommit(name);
        return;
      }
      hasHeard = false;
      cuts.push({ committedBefore: committed, name });
      hearing.cut();
    },
    close,
  };
}

const secondsOf = ({ startMs, endMs }: Stretch): number => (endMs - startMs) / 1000;
