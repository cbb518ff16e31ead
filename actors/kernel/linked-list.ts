/** A doubly linked list: whoever holds a link takes it out in one step, wherever it stands. */

export class Link<T> {
  readonly value: T;
  before: Link<T> | undefined = undefined;
  after: Link<T> | undefined = undefined;

  constructor(value: T) {
    this.value = value;
  }
}

export class LinkedList<T> {
  #oldest: Link<T> | undefined = undefined;
  #newest: Link<T> | undefined = undefined;

  /** Undefined when empty. */
  get oldest(): T | undefined {
    return this.#oldest?.value;
  }

  push(value: T): Link<T> {
    const link = new Link(value);
    link.before = this.#newest;
    if (this.#newest === undefined) this.#oldest = link;
    else this.#newest.after = link;
    this.#newest = link;
    return link;
  }

  /** Takes out a link of this list; each once. */
  remove(link: Link<T>): void {
    if (link.before === undefined) this.#oldest = link.after;
    else link.before.after = link.after;
    if (link.after === undefined) this.#newest = link.before;
    else link.after.before = link.before;
  }
}
