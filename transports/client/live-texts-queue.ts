/** The texts of a live transcription between the socket and whoever iterates over them, in order. Who reads slowly finds of each item only what it says by now. */
import type { LiveFinal, LivePartial } from '../../actors/live/live-protocol.ts';

/** What is being said, or was. */
export interface LiveText {
  /** `partial`: the item so far; the next one of this item replaces it. `final`: nothing more comes of it. */
  readonly type: 'partial' | 'final';
  /** Counts from 0 in the order in which things are said. */
  readonly item: number;
  readonly text: string;
  /** Where it lies in the audio, where the provider says. */
  readonly startMs?: number;
  readonly endMs?: number;
  /** Why this stretch has no text: a code of the server. */
  readonly error?: string;
}

export interface LiveTextsQueue extends AsyncIterable<LiveText> {
  readonly take: (message: LivePartial | LiveFinal) => void;
  /** Items are counted on from here: another transcription follows. */
  readonly goOn: () => void;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

export function createLiveTextsQueue(): LiveTextsQueue {
  const unread: LiveText[] = [];
  /** What open items say, by their numbers. */
  const open = new Map<number, string>();
  let base = 0;
  let count = 0;
  let ending: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;

  const push = (text: LiveText) => {
    const last = unread.at(-1);
    if (last?.type === 'partial' && last.item === text.item) unread.pop();
    unread.push(text);
    wake?.();
  };
  const settle = (how: { readonly error?: unknown }) => {
    ending ??= how;
    wake?.();
  };

  return {
    take: (message) => {
      const item = base + message.item;
      count = Math.max(count, item + 1);
      if (message.type === 'partial') {
        const text = (open.get(item) ?? '').slice(0, message.at) + message.text;
        open.set(item, text);
        push({ type: 'partial', item, text });
        return;
      }
      open.delete(item);
      const { text, start_ms: startMs, end_ms: endMs, error } = message;
      push({
        ...{ type: 'final', item, text },
        ...(startMs === undefined ? {} : { startMs }),
        ...(endMs === undefined ? {} : { endMs }),
        ...(error === undefined ? {} : { error }),
      });
    },
    goOn: () => {
      base = count;
    },
    end: () => settle({}),
    fail: (error) => settle({ error }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = unread.shift();
        if (next !== undefined) yield next;
        else if (ending === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else if ('error' in ending) throw ending.error;
        else return;
      }
    },
  };
}
