/** The bounded data lane of one actor: messages in order, each with the time since which it waits. */
import type { ActorDefinition } from './actor.ts';
import { KernelError } from './errors.ts';

export const DEFAULT_CAPACITY = 4096;

const SMALLEST = 8;
/** An emptied mailbox gives back what a burst made it grow to, so that an idle actor stays small. */
const KEPT_WHEN_EMPTY = 64;

/** Throws KernelError ACTOR_SPEC_INVALID unless the definition's mailbox capacity is a positive integer. */
export function checkMailbox(definition: ActorDefinition<never>): void {
  const capacity = definition.mailbox?.capacity ?? DEFAULT_CAPACITY;
  if (Number.isInteger(capacity) && capacity > 0) return;
  throw new KernelError('ACTOR_SPEC_INVALID', `${definition.type}: mailbox.capacity must be a positive integer`);
}

export class Mailbox<M> {
  readonly #capacity: number;
  #messages: (M | undefined)[] = new Array<M | undefined>(SMALLEST);
  /** Beside its message. A list of its own, because numbers among objects are boxed. */
  #sinceMs = new Float64Array(SMALLEST);
  #mask = SMALLEST - 1;
  #head = 0;
  #size = 0;

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#capacity;
  }

  /** Since when the oldest message waits; meaningless when empty. */
  get oldestSinceMs(): number {
    return this.#sinceMs[this.#head] as number;
  }

  /** Stores a message, in a mailbox that is not full. */
  push(message: M, sinceMs: number): void {
    if (this.#size > this.#mask) this.#grow();
    const slot = (this.#head + this.#size) & this.#mask;
    this.#messages[slot] = message;
    this.#sinceMs[slot] = sinceMs;
    this.#size += 1;
  }

  /** The oldest message; undefined when empty. */
  shift(): M | undefined {
    if (this.#size === 0) return undefined;
    const message = this.#messages[this.#head];
    this.#messages[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#size -= 1;
    if (this.#size === 0 && this.#mask >= KEPT_WHEN_EMPTY) this.#resize(SMALLEST);
    return message;
  }

  #grow(): void {
    this.#resize((this.#mask + 1) * 2);
  }

  #resize(slots: number): void {
    const messages = new Array<M | undefined>(slots);
    const sinceMs = new Float64Array(slots);
    for (let i = 0; i < this.#size; i += 1) {
      const slot = (this.#head + i) & this.#mask;
      messages[i] = this.#messages[slot];
      sinceMs[i] = this.#sinceMs[slot] as number;
    }
    this.#messages = messages;
    this.#sinceMs = sinceMs;
    this.#mask = slots - 1;
    this.#head = 0;
  }
}
