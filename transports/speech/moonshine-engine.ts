/** The Moonshine engine on worker threads: one thread a recogniser. Opening, dying and closing happen here; restarting is its owner's choice. */
import { Worker } from 'node:worker_threads';
import type {
  OpenOptions,
  Recogniser,
  Recognition,
  RecognitionOptions,
  SpeechEngine,
} from '../../actors/ports/speech-engine.ts';
import { VelloError } from '../../config/errors.ts';
import type { ModelFiles } from './fetch-model.ts';
import type { RecogniseMessage, RecognitionThreadData, ThreadMessage } from './recognition-messages.ts';

export interface MoonshineEngineOptions {
  /** Called when a recogniser opens: the verified model files. */
  readonly model: (signal: AbortSignal) => Promise<ModelFiles>;
  /** Longest wait for a thread to load its model. */
  readonly loadingMs?: number;
  /** A thread that says nothing for this long while it works is taken for stuck and ended. */
  readonly silenceMs?: number;
}

export const moonshineModelId = 'moonshine-tiny';
/** About 2 s on an idle machine; a crowded start takes ten times as long. */
const defaultLoadingMs = 120_000;
/** The longest single step is the encoding of half a minute: about 1 s on one slow core. */
const defaultSilenceMs = 30_000;
/** Audio and model lie outside the JavaScript heap; what is inside stays small. */
const heapMb = 512;

export function createMoonshineEngine(options: MoonshineEngineOptions): SpeechEngine {
  const { loadingMs = defaultLoadingMs, silenceMs = defaultSilenceMs } = options;
  return {
    name: moonshineModelId,
    open: async (open) => openRecogniser(await options.model(open.signal), { loadingMs, silenceMs }, open),
  };
}

interface Job {
  readonly options: RecognitionOptions;
  readonly resolve: (recognition: Recognition) => void;
  readonly reject: (error: Error) => void;
}

interface Patience {
  readonly loadingMs: number;
  readonly silenceMs: number;
}

function openRecogniser(files: ModelFiles, patience: Patience, open: OpenOptions): Promise<Recogniser> {
  const workerData: RecognitionThreadData = { ...files };
  // libopus reports damaged packets on the console; the caller gets an answer instead.
  const worker = new Worker(new URL('./recognition-thread.js', import.meta.url), {
    workerData,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  worker.stdout.resume();
  worker.stderr.resume();
  let state: 'loading' | 'open' | 'closed' = 'loading';
  let job: Job | undefined;
  let silence: NodeJS.Timeout | undefined;

  return new Promise((resolve, reject) => {
    function die(cause: Error): void {
      if (state === 'closed') return;
      const wasLoading = state === 'loading';
      state = 'closed';
      clearTimeout(silence);
      void worker.terminate();
      const failure = new VelloError('ENGINE_FAILED', undefined, { cause });
      job?.reject(failure);
      job = undefined;
      if (wasLoading) reject(failure);
      else open.onDeath(cause);
    }

    function listen(forMs = patience.silenceMs): void {
      clearTimeout(silence);
      silence = setTimeout(() => die(new Error(`The recognition thread said nothing for ${forMs} ms.`)), forMs);
    }

    function settle(): Job | undefined {
      clearTimeout(silence);
      const settled = job;
      job = undefined;
      return settled;
    }

    function receive(message: ThreadMessage): void {
      switch (message.kind) {
        case 'ready':
          clearTimeout(silence);
          if (state !== 'loading') return;
          state = 'open';
          resolve({ recognise, close });
          return;
        case 'alive':
          return listen();
        case 'delta':
          listen();
          if (job?.options.signal.aborted === false) job.options.onDelta?.(message.delta);
          return;
        case 'done':
          return settle()?.resolve(message.recognition);
        case 'aborted':
          return settle()?.reject(abandoned());
        case 'refused':
          return settle()?.reject(new VelloError(message.code, message.detail));
      }
    }

    async function recognise(file: Uint8Array, options: RecognitionOptions): Promise<Recognition> {
      if (state === 'closed') throw new VelloError('ENGINE_FAILED');
      if (job !== undefined) throw new Error('A recogniser works on one recording at a time.');
      if (options.signal.aborted) throw abandoned();
      const abort = new SharedArrayBuffer(4);
      const raise = () => Atomics.store(new Int32Array(abort), 0, 1);
      options.signal.addEventListener('abort', raise, { once: true });
      try {
        return await new Promise<Recognition>((resolve, reject) => {
          job = { options, resolve, reject };
          listen();
          worker.postMessage({ file, abort } satisfies RecogniseMessage);
        });
      } finally {
        options.signal.removeEventListener('abort', raise);
      }
    }

    async function close(): Promise<void> {
      state = 'closed';
      settle()?.reject(new VelloError('ENGINE_FAILED', 'The engine was stopped.'));
      await worker.terminate();
    }

    worker.on('message', receive);
    worker.once('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
    worker.once('exit', (code) => die(new Error(`The recognition thread ended with code ${code}.`)));
    open.signal.addEventListener('abort', () => state === 'loading' && die(abandoned()), { once: true });
    listen(patience.loadingMs);
    if (open.signal.aborted) die(abandoned());
  });
}

const abandoned = (): DOMException => new DOMException('The recognition was abandoned.', 'AbortError');
