/** A first-in-first-out queue in a circular array that doubles when full. Unbounded: limits belong to its owner. */

const SMALLEST = 8;
/** An emptied ring gives back what a burst made it grow to, so that an idle actor stays small. */
const KEPT_WHEN_EMPTY = 64;

export class Ring<T> {
  #slots: (T | undefined)[] = new Array<T | undefined>(SMALLEST);
  #mask = SMALLEST - 1;
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(value: T): void {
    if (this.#size > this.#mask) this.#grow();
    this.#slots[(this.#head + this.#size) & this.#mask] = value;
    this.#size += 1;
  }

  /** The oldest value; undefined when empty. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#size -= 1;
    if (this.#size === 0 && this.#mask >= KEPT_WHEN_EMPTY) this.#shrink();
    return value;
  }

  /** A copy, oldest first. */
  toArray(): T[] {
    const copy: T[] = [];
    for (let i = 0; i < this.#size; i += 1) copy.push(this.#slots[(this.#head + i) & this.#mask] as T);
    return copy;
  }

  #shrink(): void {
    this.#slots = new Array<T | undefined>(SMALLEST);
    this.#mask = SMALLEST - 1;
    this.#head = 0;
  }

  #grow(): void {
    const bigger = new Array<T | undefined>(this.#slots.length * 2);
    for (let i = 0; i < this.#size; i += 1) bigger[i] = this.#slots[(this.#head + i) & this.#mask];
    this.#slots = bigger;
    this.#mask = bigger.length - 1;
    this.#head = 0;
  }
}
