/** The thread a recogniser runs on: loads the models, warms them, then recognises one recording a message, and others while one waits at a border. Anything unforeseen ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { VelloError } from '../../config/errors.ts';
import { recognitionRate } from './audio-block.ts';
import { loadMoonshine } from './moonshine-model.ts';
import { loadSilero } from './silero-model.ts';
import { recognise } from './recognise.ts';
import type {
  MessageToThread,
  RecogniseMessage,
  RecognitionThreadData,
  ThreadMessage,
} from './recognition-messages.ts';

const aliveEveryMs = 1000;

const port = parentPort;
if (port === null) throw new Error('This file is the entry of a thread.');
const tell = (message: ThreadMessage) => port.postMessage(message);

const models = { voice: await loadSilero(), words: await loadMoonshine(workerData as RecognitionThreadData) };
// The first run compiles and allocates; a second of near-silence takes that from the first caller.
for await (const _token of models.words.tokens(new Float32Array(recognitionRate).fill(0.01))) break;

/** What goes on at the next `go`, by the recording's id. */
const atBorder = new Map<number, () => void>();

port.on('message', (message: MessageToThread) => {
  if (message.kind === 'recognise') return start(message);
  atBorder.get(message.id)?.();
  atBorder.delete(message.id);
});

function start({ id, file, abort }: RecogniseMessage): void {
  const flag = new Int32Array(abort);
  let aliveAtMs = performance.now();
  const hooks = {
    onDelta: (delta: string) => tell({ kind: 'delta', id, delta }),
    onStep: () => {
      if (performance.now() - aliveAtMs < aliveEveryMs) return;
      aliveAtMs = performance.now();
      tell({ kind: 'alive' });
    },
    isAborted: () => Atomics.load(flag, 0) !== 0,
    border: (heardSeconds: number) =>
      new Promise<void>((resolve) => {
        atBorder.set(id, resolve);
        tell({ kind: 'border', id, heardSeconds });
      }),
  };
  recognise(models, file, hooks).then(
    (recognition) => tell({ kind: 'done', id, recognition }),
    (error: unknown) => {
      if (error instanceof VelloError) tell({ kind: 'refused', id, code: error.code, detail: error.detail });
      else if (error instanceof DOMException && error.name === 'AbortError') tell({ kind: 'aborted', id });
      // The model's state cannot be trusted any more: a new thread is cheaper than a wrong text.
      else throw error;
    },
  );
}

tell({ kind: 'ready' });
