/** What was said in one transcription: kept whole, so that a desktop which lost its socket gets with the next one what it missed. */
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { LiveFinal, LivePartial } from './live-protocol.ts';
import type { SpokenAt } from './speech-line.ts';

interface Item {
  readonly item: number;
  /** So far; undefined once it is final. */
  text: string | undefined;
}

export class LiveTexts {
  /** By the provider's names. */
  readonly #items = new Map<string, Item>();
  readonly #finals: LiveFinal[] = [];
  #characters = 0;

  /** Gives the item its place. @throws VelloError `UPSTREAM_FAILED` where there are too many */
  begin(id: string): void {
    this.#itemOf(id);
  }

  /** Undefined where it says nothing, or of an item that is final. @throws VelloError `UPSTREAM_FAILED` where it is too much */
  partial(id: string, delta: string): LivePartial | undefined {
    const item = this.#itemOf(id);
    if (item.text === undefined || delta === '') return undefined;
    this.#count(delta);
    const at = item.text.length;
    item.text += delta;
    return { type: 'partial', item: item.item, at, text: delta };
  }

  /** Undefined where it was final before. @throws VelloError `UPSTREAM_FAILED` where it is too much */
  final(id: string, text: string, { startMs, endMs }: SpokenAt, error?: string): LiveFinal | undefined {
    const item = this.#itemOf(id);
    if (item.text === undefined) return undefined;
    this.#count(text);
    item.text = undefined;
    const final: LiveFinal = {
      type: 'final',
      seq: this.#finals.length + 1,
      item: item.item,
      text,
      ...(startMs === undefined ? {} : { start_ms: startMs }),
      ...(endMs === undefined ? {} : { end_ms: endMs }),
      ...(error === undefined ? {} : { error }),
    };
    this.#finals.push(final);
    return final;
  }

  /** What a desktop misses that has the finals up to `seq`: those after it, and of items that are not final all that is known. */
  missedAfter(seq: number): readonly (LiveFinal | LivePartial)[] {
    const open = [...this.#items.values()].flatMap(({ item, text }) =>
      text === undefined || text === '' ? [] : [{ type: 'partial', item, at: 0, text } as const],
    );
    return [...this.#finals.slice(seq), ...open];
  }

  /** All that is final, in the order in which it was said; the empty string while that is nothing. */
  whole(): string {
    const inOrder = [...this.#finals].sort((one, other) => one.item - other.item);
    return inOrder.flatMap(({ text }) => (text.trim() === '' ? [] : [text.trim()])).join(' ');
  }

  #itemOf(id: string): Item {
    const known = this.#items.get(id);
    if (known !== undefined) return known;
    if (this.#items.size >= LIMITS.live.items) throw tooMuch();
    const item = { item: this.#items.size, text: '' };
    this.#items.set(id, item);
    return item;
  }

  #count(text: string): void {
    this.#characters += text.length;
    if (this.#characters > LIMITS.live.textCharacters) throw tooMuch();
  }
}

const tooMuch = (): VelloError => new VelloError('UPSTREAM_FAILED', 'The AI provider said more than anybody can say.');
