/** The Moonshine engine on worker threads: one thread a recogniser. Opening, dying and closing happen here; restarting is its owner's choice. */
import { Worker } from 'node:worker_threads';
import type {
  OpenOptions,
  Recogniser,
  Recognition,
  RecognitionOptions,
  SpeechEngine,
} from '../../actors/inference/speech-engine.ts';
import { VelloError } from '../../config/errors.ts';
import { openEar } from './listening-ear.ts';
import type { ModelFiles } from './models/fetch-model.ts';
import type { LanguageModel } from './models/language-models.ts';
import type { MessageToThread, RecognitionThreadData, ThreadMessage } from './recognition-messages.ts';

export interface MoonshineEngineOptions {
  /** Called when a recogniser opens: the verified model files. */
  readonly model: (signal: AbortSignal) => Promise<ModelFiles>;
  /** Models of other languages, or another one of English. */
  readonly others?: readonly LanguageModel[];
  /** Longest wait for a thread to load its model. */
  readonly loadingMs?: number;
  /** A thread that says nothing for this long while it works is taken for stuck and ended. */
  readonly silenceMs?: number;
}

export const MOONSHINE_MODEL_ID = 'moonshine-tiny';
const ENGLISH = 'en';
/** Faster than anybody speaks. */
const ENGLISH_TOKENS_PER_SECOND = 6.5;
/** About 2 s on an idle machine; a crowded start takes ten times as long. */
const DEFAULT_LOADING_MS = 120_000;
/** The longest single step is the encoding of half a minute: about 1 s on one slow core. */
const DEFAULT_SILENCE_MS = 30_000;
/** Audio and model lie outside the JavaScript heap; what is inside stays small. */
const HEAP_MB = 512;

export function createMoonshineEngine(options: MoonshineEngineOptions): SpeechEngine {
  const { loadingMs = DEFAULT_LOADING_MS, silenceMs = DEFAULT_SILENCE_MS, others = [] } = options;
  return {
    name: MOONSHINE_MODEL_ID,
    languages: [...new Set([ENGLISH, ...others.map(({ language }) => language)])],
    open: async (open) => {
      const own = others.some(({ language }) => language === ENGLISH)
        ? []
        : [{ language: ENGLISH, tokensPerSecond: ENGLISH_TOKENS_PER_SECOND, ...(await options.model(open.signal)) }];
      return openRecogniser([...own, ...others], { loadingMs, silenceMs }, open);
    },
    openEar: (onDeath) => openEar({ onDeath, silenceMs: loadingMs }),
  };
}

interface Job {
  readonly options: RecognitionOptions;
  /** At a border it waits until it may go on; who leaves there takes no turn to end, but ends only once the thread hears of it. */
  phase: 'working' | 'atBorder' | 'leaving';
  readonly resolve: (recognition: Recognition) => void;
  readonly reject: (error: Error) => void;
}

interface Patience {
  readonly loadingMs: number;
  readonly silenceMs: number;
}

function openRecogniser(models: readonly LanguageModel[], patience: Patience, open: OpenOptions): Promise<Recogniser> {
  const workerData: RecognitionThreadData = { models };
  // libopus reports damaged packets on the console; the caller gets an answer instead.
  const worker = new Worker(new URL('./recognition-thread.js', import.meta.url), {
    workerData,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  worker.stdout.resume();
  worker.stderr.resume();
  let state: 'loading' | 'open' | 'closed' = 'loading';
  const jobs = new Map<number, Job>();
  let lastId = 0;
  let silence: NodeJS.Timeout | undefined;
  const send = (message: MessageToThread) => worker.postMessage(message);

  return new Promise((resolve, reject) => {
    function die(cause: Error): void {
      if (state === 'closed') return;
      const wasLoading = state === 'loading';
      state = 'closed';
      void worker.terminate();
      const failure = new VelloError('ENGINE_FAILED', undefined, { cause });
      failAll(failure);
      if (wasLoading) reject(failure);
      else open.onDeath(cause);
    }

    function failAll(failure: VelloError): void {
      clearTimeout(silence);
      const failed = [...jobs.values()];
      jobs.clear();
      for (const job of failed) job.reject(failure);
    }

    const isAny = (test: (phase: Job['phase']) => boolean): boolean =>
      [...jobs.values()].some(({ phase }) => test(phase));

    /** Starts the wait for a sign of life anew; while nothing is worked on, none is due. */
    function listen(): void {
      clearTimeout(silence);
      if (isAny((phase) => phase !== 'atBorder')) startSilence(patience.silenceMs);
    }

    function startSilence(forMs: number): void {
      silence = setTimeout(() => die(new Error(`The recognition thread said nothing for ${forMs} ms.`)), forMs);
    }

    function settle(id: number): Job | undefined {
      const job = jobs.get(id);
      jobs.delete(id);
      return job;
    }

    function receive(message: ThreadMessage): void {
      switch (message.type) {
        case 'ready':
          clearTimeout(silence);
          if (state !== 'loading') return;
          state = 'open';
          return resolve({ recognise, close });
        case 'alive':
          break;
        case 'delta': {
          const options = jobs.get(message.id)?.options;
          if (options?.signal.aborted === false) options.onDelta?.(message.delta);
          break;
        }
        case 'border':
          waitAtBorder(message.id, message.heardSeconds);
          break;
        case 'done':
          settle(message.id)?.resolve(message.recognition);
          break;
        case 'aborted':
          settle(message.id)?.reject(abandoned());
          break;
        case 'refused':
          settle(message.id)?.reject(new VelloError(message.code, message.detail));
          break;
      }
      listen();
    }

    function waitAtBorder(id: number, heardSeconds: number): void {
      const job = jobs.get(id);
      if (job === undefined) return;
      const { signal, onBorder } = job.options;
      if (signal.aborted || onBorder === undefined) return send({ type: 'go', id });
      job.phase = 'atBorder';
      const goOn = (phase: 'working' | 'leaving') => {
        if (job.phase !== 'atBorder') return;
        job.phase = phase;
        signal.removeEventListener('abort', leave);
        listen();
        send({ type: 'go', id });
      };
      const leave = () => goOn('leaving');
      signal.addEventListener('abort', leave, { once: true });
      void onBorder(heardSeconds).then(() => goOn('working'));
    }

    async function recognise(file: Uint8Array, options: RecognitionOptions): Promise<Recognition> {
      if (state === 'closed') throw new VelloError('ENGINE_FAILED');
      if (isAny((phase) => phase === 'working')) throw new Error('A recogniser works on one recording at a time.');
      if (options.signal.aborted) throw abandoned();
      const abort = new SharedArrayBuffer(4);
      const raise = () => Atomics.store(new Int32Array(abort), 0, 1);
      options.signal.addEventListener('abort', raise, { once: true });
      const id = ++lastId;
      try {
        return await new Promise<Recognition>((resolve, reject) => {
          jobs.set(id, { options, phase: 'working', resolve, reject });
          listen();
          const { language = ENGLISH, isOneStretch = false } = options;
          send({ type: 'recognise', id, file, language, isOneStretch, abort });
        });
      } finally {
        options.signal.removeEventListener('abort', raise);
        // What could not be sent is worked on by nobody.
        if (jobs.delete(id)) listen();
      }
    }

    async function close(): Promise<void> {
      state = 'closed';
      failAll(new VelloError('ENGINE_FAILED', 'The engine was stopped.'));
      await worker.terminate();
    }

    worker.on('message', receive);
    worker.once('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
    worker.once('exit', (code) => die(new Error(`The recognition thread ended with code ${code}.`)));
    open.signal.addEventListener('abort', () => state === 'loading' && die(abandoned()), { once: true });
    startSilence(patience.loadingMs);
    if (open.signal.aborted) die(abandoned());
  });
}

const abandoned = (): DOMException => new DOMException('The recognition was abandoned.', 'AbortError');
