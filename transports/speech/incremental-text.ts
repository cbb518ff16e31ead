/** Turns tokens into text that only ever grows, so that what was sent never has to be taken back. */
import llamaTokenizer from 'llama-tokenizer-js';
import { START_TOKEN } from './models/moonshine-model.ts';

export interface IncrementalText {
  /** The text that this token settles; may be empty. */
  push(token: number): string;
  /** The text that was still held back. */
  end(): string;
}

/**
 * The text of one piece of speech. Its deltas, joined, are the piece's text without space at either end.
 * Characters that take several byte tokens, and spaces that may turn out to be the last, wait for what follows.
 */
export function createIncrementalText(): IncrementalText {
  const tokens = [START_TOKEN];
  let sent = '';

  function grow(settled: string): string {
    if (!settled.startsWith(sent)) return '';
    const delta = settled.slice(sent.length);
    sent = settled;
    return delta;
  }

  const decoded = (): string => llamaTokenizer.decode(tokens).trim();
  return {
    push(token) {
      tokens.push(token);
      return grow(decoded().replace(/\s*\uFFFD+$/, ''));
    },
    end: () => grow(decoded()),
  };
}
