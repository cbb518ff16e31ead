/** The thread that hears live audio: all calls on one, one message after the other. Anything unforeseen ends it. */
import { parentPort } from 'node:worker_threads';
import { loadSilero } from './models/silero-model.ts';
import type { EarThreadMessage, MessageToEar } from './ear-messages.ts';
import { hearCall, type HeardCall } from './hear-call.ts';

const port = parentPort;
if (port === null) throw new Error('This file is the entry of a thread.');
const tell = (message: EarThreadMessage) => port.postMessage(message);

const voice = await loadSilero();
const calls = new Map<number, HeardCall>();
let turn: Promise<void> = Promise.resolve();

port.on('message', (message: MessageToEar) => {
  // A rejection stays one, and ends the thread.
  turn = turn.then(() => act(message));
});

async function act(message: MessageToEar): Promise<void> {
  const { id } = message;
  if (message.type === 'listen') {
    const began = (startMs: number) => tell({ type: 'began', id, startMs });
    calls.set(
      id,
      await hearCall(message.options, voice, { began, stretch: (stretch) => tell({ type: 'stretch', id, stretch }) }),
    );
    return;
  }
  const call = calls.get(id);
  if (call === undefined) return;
  switch (message.type) {
    case 'hear':
      if (await call.hear(message.frame)) tell({ type: 'heard', id, openSeconds: call.openSeconds() });
      else tell({ type: 'unreadable', id });
      return;
    case 'cut':
      await call.cut();
      tell({ type: 'cut', id });
      return;
    case 'glimpse':
      tell({ type: 'glimpsed', id, samples: call.glimpse() });
      return;
    case 'leave':
      call.close();
      calls.delete(id);
  }
}

tell({ type: 'ready' });
