/** The ear on a thread of its own, which opens with the first call. Opening, dying and closing happen here; restarting is its owner's choice. */
import { Worker } from 'node:worker_threads';
import type { Ear, HearingListener } from '../../actors/inference/ear.ts';
import type { OpenOptions } from '../../actors/inference/speech-engine.ts';
import { VelloError } from '../../config/errors.ts';
import type { EarThreadMessage, MessageToEar } from './ear-messages.ts';

export interface EarOptions {
  readonly onDeath: OpenOptions['onDeath'];
  /** A thread that has work and says nothing for this long is taken for stuck and ended. Loading its model is work. */
  readonly silenceMs: number;
}

/** The model lies outside the JavaScript heap; what is inside are the samples of what is being said. */
const HEAP_MB = 512;

export function openEar({ onDeath, silenceMs }: EarOptions): Ear {
  const listeners = new Map<number, HearingListener>();
  let worker: Worker | undefined;
  let isClosed = false;
  let lastId = 0;
  /** Messages that want an answer and have none, over all calls. */
  let unanswered = 0;
  let silence: NodeJS.Timeout | undefined;

  const failAll = (cause?: Error) => {
    isClosed = true;
    clearTimeout(silence);
    const all = [...listeners.values()];
    listeners.clear();
    for (const listener of all) listener.broken(new VelloError('ENGINE_FAILED', undefined, { cause }));
  };

  const die = (cause: Error) => {
    if (isClosed) return;
    failAll(cause);
    void worker?.terminate();
    onDeath(cause);
  };

  const watch = () => {
    clearTimeout(silence);
    if (unanswered === 0) return;
    silence = setTimeout(() => die(new Error(`The ear's thread said nothing for ${silenceMs} ms.`)), silenceMs);
  };

  const receive = (message: EarThreadMessage) => {
    const isAnswer = message.type !== 'began' && message.type !== 'stretch';
    if (isAnswer) unanswered -= 1;
    watch();
    if (message.type === 'ready') return;
    const listener = listeners.get(message.id);
    if (listener === undefined) return;
    switch (message.type) {
      case 'began':
        return listener.began(message.startMs);
      case 'stretch':
        return listener.stretch(message.stretch);
      case 'heard':
        return listener.heard(message.openSeconds);
      case 'cut':
        return listener.cut();
      case 'glimpsed':
        return listener.glimpsed(message.samples);
      case 'unreadable':
        listeners.delete(message.id);
        send({ type: 'leave', id: message.id });
        return listener.broken(new VelloError('AUDIO_NOT_RECOGNISED', 'A frame of the audio cannot be read.'));
    }
  };

  const openThread = (): Worker => {
    // libopus reports damaged packets on the console; the caller gets an answer instead.
    const opened = new Worker(new URL('./ear-thread.js', import.meta.url), {
      ...{ stdout: true, stderr: true },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    opened.stdout.resume();
    opened.stderr.resume();
    opened.on('message', receive);
    opened.once('error', (error) => die(error instanceof Error ? error : new Error(String(error))));
    opened.once('exit', (code) => die(new Error(`The ear's thread ended with code ${code}.`)));
    opened.unref();
    unanswered = 1;
    return opened;
  };

  const send = (message: MessageToEar) => {
    if (isClosed) return;
    worker ??= openThread();
    if (message.type !== 'listen' && message.type !== 'leave') unanswered += 1;
    if (message.type === 'hear') worker.postMessage(message, [message.frame.buffer as ArrayBuffer]);
    else worker.postMessage(message);
    if (unanswered === 1) watch();
  };

  return {
    listen: (options, listener) => {
      if (isClosed) throw new VelloError('ENGINE_FAILED');
      const id = ++lastId;
      listeners.set(id, listener);
      send({ type: 'listen', id, options });
      const isOpen = () => listeners.has(id);
      return {
        hear: (frame) => {
          // A copy in memory of its own, which is handed over.
          if (isOpen()) send({ type: 'hear', id, frame: new Uint8Array(frame) });
        },
        cut: () => {
          if (isOpen()) send({ type: 'cut', id });
        },
        glimpse: () => {
          if (isOpen()) send({ type: 'glimpse', id });
        },
        close: () => {
          if (listeners.delete(id)) send({ type: 'leave', id });
        },
      };
    },
    close: async () => {
      failAll();
      await worker?.terminate();
    },
  };
}
