/**
 * Values by an id, where many come and go: in place of a Map, for the reason that is given in `roster.ts`. In no order. Ids are expected to differ
 * in their last characters, as those of RFC 9562 do.
 */

const LEAST = 16;
/** A table that was cleared and is larger is given up: what stood in it once need not be kept room for. */
const MOST_KEPT = 1_024;

export class IdTable<T> {
  #ids: (string | undefined)[] = empty(LEAST);
  #values: (T | undefined)[] = empty(LEAST);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  set(id: string, value: T): void {
    // Half of it stays free, so that what is looked for is found within a step or two.
    if (2 * (this.#size + 1) > this.#ids.length) this.#resize(2 * this.#ids.length);
    const place = this.#placeOf(id);
    if (this.#ids[place] === undefined) this.#size += 1;
    this.#ids[place] = id;
    this.#values[place] = value;
  }

  get(id: string): T | undefined {
    return this.#values[this.#placeOf(id)];
  }

  /** Whether it was there. */
  delete(id: string): boolean {
    let hole = this.#placeOf(id);
    if (this.#ids[hole] === undefined) return false;
    this.#size -= 1;
    const last = this.#ids.length - 1;
    // What stands behind, and would have stood here, moves up: an empty place ends every search.
    for (let at = (hole + 1) & last; ; at = (at + 1) & last) {
      const other = this.#ids[at];
      if (other === undefined) break;
      if (((at - hashOf(other)) & last) < ((at - hole) & last)) continue;
      this.#ids[hole] = other;
      this.#values[hole] = this.#values[at];
      hole = at;
    }
    this.#ids[hole] = undefined;
    this.#values[hole] = undefined;
    return true;
  }

  /** All of them, as they are now. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  clear(): void {
    if (this.#ids.length > MOST_KEPT) {
      this.#ids = empty(LEAST);
      this.#values = empty(LEAST);
    } else if (this.#size > 0) {
      this.#ids.fill(undefined);
      this.#values.fill(undefined);
    }
    this.#size = 0;
  }

  /** Where it stands, or would. */
  #placeOf(id: string): number {
    const last = this.#ids.length - 1;
    let at = hashOf(id) & last;
    for (let found = this.#ids[at]; found !== undefined && found !== id; found = this.#ids[at]) at = (at + 1) & last;
    return at;
  }

  #resize(places: number): void {
    const [ids, values] = [this.#ids, this.#values];
    this.#ids = empty(places);
    this.#values = empty(places);
    for (const [at, id] of ids.entries()) {
      if (id === undefined) continue;
      const place = this.#placeOf(id);
      this.#ids[place] = id;
      this.#values[place] = values[at];
    }
  }
}

const HASHED = 8;

function hashOf(id: string): number {
  let hash = 0;
  for (let at = Math.max(0, id.length - HASHED); at < id.length; at += 1) hash = (hash * 31 + id.charCodeAt(at)) | 0;
  return hash;
}

const empty = (places: number): undefined[] => Array.from({ length: places }, () => undefined);
