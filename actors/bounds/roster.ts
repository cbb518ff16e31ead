/**
 * Those that are under way, where many come and go. In place of a Set, whose outgrown tables V8 chains to one another with all that stood in
 * them: once one of them is old, nothing that was ever in the set is freed before a full collection, and each minor one copies it.
 */

/** Keeps where it stands; in no roster: -1. */
export interface Rostered {
  place: number;
}

export class Roster<T extends Rostered> {
  readonly #entries: T[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** Those that are in it now, for a walk on which some may leave. */
  all(): readonly T[] {
    return [...this.#entries];
  }

  add(entry: T): void {
    entry.place = this.#entries.length;
    this.#entries.push(entry);
  }

  /** Does nothing where it is not in it. */
  remove(entry: T): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[place] = last;
    last.place = place;
  }
}
