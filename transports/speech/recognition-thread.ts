/** The thread a recogniser runs on: loads the models, warms them, then recognises one recording a message, and others while one waits at a border. Anything unforeseen ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { VelloError } from '../../config/errors.ts';
import { RECOGNITION_RATE } from './codecs/audio-block.ts';
import { loadMoonshine, type MoonshineModel } from './models/moonshine-model.ts';
import { loadSilero } from './models/silero-model.ts';
import { recognise } from './recognise.ts';
import type {
  MessageToThread,
  RecogniseMessage,
  RecognitionThreadData,
  ThreadMessage,
} from './recognition-messages.ts';

const ALIVE_EVERY_MS = 1000;

const port = parentPort;
if (port === null) throw new Error('This file is the entry of a thread.');
const tell = (message: ThreadMessage) => port.postMessage(message);

const voice = await loadSilero();
const wordsByLanguage = new Map<string, MoonshineModel>();
for (const model of (workerData as RecognitionThreadData).models) {
  const words = await loadMoonshine(model, model.tokensPerSecond);
  // The first run compiles and allocates; a second of near-silence takes that from the first caller.
  for await (const _token of words.tokens(new Float32Array(RECOGNITION_RATE).fill(0.01))) break;
  wordsByLanguage.set(model.language, words);
}

/** What goes on at the next `go`, by the recording's id. */
const atBorder = new Map<number, () => void>();

port.on('message', (message: MessageToThread) => {
  if (message.type === 'recognise') return start(message);
  atBorder.get(message.id)?.();
  atBorder.delete(message.id);
});

function start({ id, file, language, isOneStretch, abort }: RecogniseMessage): void {
  const words = wordsByLanguage.get(language);
  if (words === undefined) throw new Error(`There is no model for ${language}.`);
  const flag = new Int32Array(abort);
  let aliveAtMs = performance.now();
  const hooks = {
    onDelta: (delta: string) => tell({ type: 'delta', id, delta }),
    onStep: () => {
      if (performance.now() - aliveAtMs < ALIVE_EVERY_MS) return;
      aliveAtMs = performance.now();
      tell({ type: 'alive' });
    },
    isAborted: () => Atomics.load(flag, 0) !== 0,
    border: (heardSeconds: number) =>
      new Promise<void>((resolve) => {
        atBorder.set(id, resolve);
        tell({ type: 'border', id, heardSeconds });
      }),
  };
  recognise({ voice: isOneStretch ? undefined : voice, words }, file, hooks).then(
    (recognition) => tell({ type: 'done', id, recognition }),
    (error: unknown) => {
      if (error instanceof VelloError) tell({ type: 'refused', id, code: error.code, detail: error.detail });
      else if (error instanceof DOMException && error.name === 'AbortError') tell({ type: 'aborted', id });
      // The model's state cannot be trusted any more: a new thread is cheaper than a wrong text.
      else throw error;
    },
  );
}

tell({ type: 'ready' });
