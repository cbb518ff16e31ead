/** Text that is pushed on one side and iterated on the other, in order. What is unread is joined: a slow reader gets fewer, longer deltas. */

export interface DeltaQueue extends AsyncIterable<string> {
  readonly push: (delta: string) => void;
  /** After what was pushed, the iteration ends. */
  readonly end: () => void;
  /** After what was pushed, the iteration throws. */
  readonly fail: (error: unknown) => void;
}

export function createDeltaQueue(): DeltaQueue {
  let unread = '';
  let ending: { readonly error?: unknown } | undefined;
  let wake: (() => void) | undefined;

  const settle = (how: { readonly error?: unknown }) => {
    ending ??= how;
    wake?.();
  };
  return {
    push: (delta) => {
      unread += delta;
      wake?.();
    },
    end: () => settle({}),
    fail: (error) => settle({ error }),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (unread !== '') {
          const delta = unread;
          unread = '';
          yield delta;
        } else if (ending === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
        } else if ('error' in ending) {
          throw ending.error;
        } else return;
      }
    },
  };
}
