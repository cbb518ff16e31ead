/** Bytes that come in pieces of any size, kept as one: memory doubles as they grow, so that a piece costs what is in it and not what came before. */

const NOTHING: Buffer = Buffer.alloc(0);

export class GrowingBytes {
  #memory = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Keeps a copy. */
  append(piece: Uint8Array): void {
    const length = this.#length + piece.byteLength;
    if (this.#length === 0) this.#memory = Buffer.from(piece);
    else {
      if (length > this.#memory.length) {
        const larger = Buffer.allocUnsafe(2 * length);
        this.#memory.copy(larger, 0, 0, this.#length);
        this.#memory = larger;
      }
      this.#memory.set(piece, this.#length);
    }
    this.#length = length;
  }

  /** All of them, until something else is done here. */
  view(): Buffer {
    return this.#memory.length === this.#length ? this.#memory : this.#memory.subarray(0, this.#length);
  }

  /** All of them, for good: nothing is left here. */
  take(): Buffer {
    const all = this.view();
    this.#memory = NOTHING;
    this.#length = 0;
    return all;
  }

  /** Forgets, with its memory, what stands before the last `bytes`. */
  keepEnd(bytes: number): void {
    this.#memory = Buffer.from(this.view().subarray(-bytes));
    this.#length = this.#memory.length;
  }
}
