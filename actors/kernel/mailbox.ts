/** The bounded data lane of one actor: messages in order, each with the time since which it waits. */
import type { ActorDefinition } from './actor.ts';
import { KernelError } from './errors.ts';
import { Ring } from './ring.ts';

export const DEFAULT_CAPACITY = 4096;

/** Throws KernelError ACTOR_SPEC_INVALID unless the definition's mailbox capacity is a positive integer. */
export function checkMailbox(definition: ActorDefinition<never>): void {
  const capacity = definition.mailbox?.capacity ?? DEFAULT_CAPACITY;
  if (Number.isInteger(capacity) && capacity > 0) return;
  throw new KernelError('ACTOR_SPEC_INVALID', `${definition.type}: mailbox.capacity must be a positive integer`);
}

/** Messages that were told at the same time, and so have waited alike. */
interface Run {
  readonly sinceMs: number;
  messages: number;
}

export class Mailbox<M> {
  readonly #capacity: number;
  readonly #messages = new Ring<M>();
  /** The oldest run; the later ones, which few mailboxes ever have, stand in a list of their own. */
  #sinceMs = 0;
  #alike = 0;
  #later: Ring<Run> | undefined = undefined;
  #newest: Run | undefined = undefined;

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#messages.size;
  }

  get isFull(): boolean {
    return this.#messages.size >= this.#capacity;
  }

  /** Since when the oldest message waits; meaningless when empty. */
  get oldestSinceMs(): number {
    return this.#sinceMs;
  }

  /** Stores a message, in a mailbox that is not full. Times never go back. */
  push(message: M, sinceMs: number): void {
    this.#messages.push(message);
    if (this.#newest !== undefined) {
      if (this.#newest.sinceMs === sinceMs) this.#newest.messages += 1;
      else this.#pushRun(sinceMs);
    } else if (this.#alike === 0) {
      this.#sinceMs = sinceMs;
      this.#alike = 1;
    } else if (this.#sinceMs === sinceMs) this.#alike += 1;
    else this.#pushRun(sinceMs);
  }

  /** The oldest message; undefined when empty. */
  shift(): M | undefined {
    if (this.#alike === 0) return undefined;
    this.#alike -= 1;
    if (this.#alike === 0 && this.#newest !== undefined) this.#nextRun();
    return this.#messages.shift();
  }

  #pushRun(sinceMs: number): void {
    this.#newest = { sinceMs, messages: 1 };
    (this.#later ??= new Ring()).push(this.#newest);
  }

  #nextRun(): void {
    const run = this.#later?.shift();
    if (run === undefined) return;
    this.#sinceMs = run.sinceMs;
    this.#alike = run.messages;
    if (run === this.#newest) this.#newest = undefined;
  }
}
