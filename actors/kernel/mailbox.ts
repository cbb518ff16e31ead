/** The bounded data lane of one actor: keeps order, and applies the definition's overflow policy when full. */
import type { ActorDefinition, Overflow } from './actor.ts';
import { KernelError } from './errors.ts';
import { Ring } from './ring.ts';

export const DEFAULT_CAPACITY = 4096;

/** Throws KernelError ACTOR_SPEC_INVALID unless the definition's mailbox capacity is a positive integer. */
export function checkMailbox(definition: ActorDefinition<never>): void {
  const capacity = definition.mailbox?.capacity ?? DEFAULT_CAPACITY;
  if (Number.isInteger(capacity) && capacity > 0) return;
  throw new KernelError('ACTOR_SPEC_INVALID', `${definition.type}: mailbox.capacity must be a positive integer`);
}

/** `merged`: accepted in place of the waiting message with its key. */
export type PushResult = 'stored' | 'merged' | 'full';

export class Mailbox<M> {
  readonly #ring = new Ring<M>();
  readonly #capacity: number;
  readonly #overflow: Overflow<M>;
  /** Key to the running number of its waiting message; only under coalesceBy. */
  #keys: Map<string, number> | undefined;
  #taken = 0;

  constructor(capacity = DEFAULT_CAPACITY, overflow: Overflow<M> = 'reject') {
    this.#capacity = capacity;
    this.#overflow = overflow;
  }

  get size(): number {
    return this.#ring.size;
  }

  /** Whether the owner is to make room by taking the oldest message when `push` finds the mailbox full. */
  get givesWay(): boolean {
    return this.#overflow === 'drop-oldest';
  }

  push(message: M): PushResult {
    const overflow = this.#overflow;
    if (typeof overflow === 'object') return this.#pushKeyed(message, overflow.coalesceBy(message));
    if (this.#ring.size < this.#capacity) {
      this.#ring.push(message);
      return 'stored';
    }
    return 'full';
  }

  shift(): M | undefined {
    if (this.#ring.size === 0) return undefined;
    const message = this.#ring.shift() as M;
    if (this.#keys !== undefined) this.#forgetKey(message);
    return message;
  }

  clear(): void {
    this.#ring.clear();
    this.#keys = undefined;
  }

  #pushKeyed(message: M, key: string | undefined): PushResult {
    const waiting = key === undefined ? undefined : this.#keys?.get(key);
    if (waiting !== undefined) {
      this.#ring.replace(waiting - this.#taken, message);
      return 'merged';
    }
    if (this.#ring.size >= this.#capacity) return 'full';
    this.#keys ??= new Map();
    if (key !== undefined) this.#keys.set(key, this.#taken + this.#ring.size);
    this.#ring.push(message);
    return 'stored';
  }

  #forgetKey(message: M): void {
    const overflow = this.#overflow;
    const key = typeof overflow === 'object' ? overflow.coalesceBy(message) : undefined;
    if (key !== undefined && this.#keys?.get(key) === this.#taken) this.#keys.delete(key);
    this.#taken += 1;
  }
}
