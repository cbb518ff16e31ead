/** The thread a recogniser runs on: loads the model, warms it, then recognises one recording a message. Anything unforeseen ends it. */
import { parentPort, workerData } from 'node:worker_threads';
import { VelloError } from '../../config/errors.ts';
import { recognitionRate } from './audio-block.ts';
import { loadMoonshine } from './moonshine-model.ts';
import { recognise } from './recognise.ts';
import type { RecogniseMessage, RecognitionThreadData, ThreadMessage } from './recognition-messages.ts';

const aliveEveryMs = 1000;

const port = parentPort;
if (port === null) throw new Error('This file is the entry of a thread.');
const tell = (message: ThreadMessage) => port.postMessage(message);

const model = await loadMoonshine(workerData as RecognitionThreadData);
// The first run compiles and allocates; a second of near-silence takes that from the first caller.
for await (const _token of model.tokens(new Float32Array(recognitionRate).fill(0.01))) break;

port.on('message', ({ file, abort }: RecogniseMessage) => {
  const flag = new Int32Array(abort);
  let aliveAtMs = performance.now();
  const hooks = {
    onDelta: (delta: string) => tell({ kind: 'delta', delta }),
    onStep: () => {
      if (performance.now() - aliveAtMs < aliveEveryMs) return;
      aliveAtMs = performance.now();
      tell({ kind: 'alive' });
    },
    isAborted: () => Atomics.load(flag, 0) !== 0,
  };
  recognise(model, file, hooks).then(
    (recognition) => tell({ kind: 'done', recognition }),
    (error: unknown) => {
      if (error instanceof VelloError) tell({ kind: 'refused', code: error.code, detail: error.detail });
      else if (error instanceof DOMException && error.name === 'AbortError') tell({ kind: 'aborted' });
      // The model's state cannot be trusted any more: a new thread is cheaper than a wrong text.
      else throw error;
    },
  );
});
tell({ kind: 'ready' });
