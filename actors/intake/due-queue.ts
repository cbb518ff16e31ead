/** Entries that wait for their time, earliest first. A binary heap: thousands may wait while the api is away. */
import type { StreamEntry } from './event-stream.ts';

interface Waiting {
  readonly dueMs: number;
  readonly entry: StreamEntry;
}

export class DueQueue {
  readonly #heap: Waiting[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the earliest falls due; undefined where none waits. */
  get nextDueMs(): number | undefined {
    return this.#heap[0]?.dueMs;
  }

  /** All that wait, in no order. */
  entries(): readonly StreamEntry[] {
    return this.#heap.map(({ entry }) => entry);
  }

  add(entry: StreamEntry, dueMs: number): void {
    const heap = this.#heap;
    const added = { dueMs, entry };
    let hole = heap.push(added) - 1;
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || parent.dueMs <= dueMs) break;
      heap[hole] = parent;
      hole = above;
    }
    heap[hole] = added;
  }

  /** Removes and returns all that are due at `nowMs`, earliest first. */
  takeDue(nowMs: number): StreamEntry[] {
    const due: StreamEntry[] = [];
    for (let first = this.#heap[0]; first !== undefined && first.dueMs <= nowMs; first = this.#heap[0]) {
      due.push(first.entry);
      this.#removeFirst();
    }
    return due;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let hole = 0;
    for (;;) {
      const left = heap[2 * hole + 1];
      const right = heap[2 * hole + 2];
      const smaller = right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left;
      if (smaller === undefined || smaller.dueMs >= last.dueMs) break;
      heap[hole] = smaller;
      hole = smaller === left ? 2 * hole + 1 : 2 * hole + 2;
    }
    heap[hole] = last;
  }
}
