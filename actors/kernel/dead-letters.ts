/** Messages that reached nobody: counted by reason, the last ones kept without their payloads. */
import type { Clock } from '../ports/clock.ts';
import { Ring } from './ring.ts';

export const DEAD_LETTER_REASONS = ['stopped', 'stale_incarnation', 'mailbox_full', 'expired_ask', 'unknown'] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

export interface DeadLetter {
  readonly reason: DeadLetterReason;
  readonly path: string;
  readonly actorType: string;
  /** The message's own `type` when it has one. */
  readonly messageType: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** The type a message was meant for, with that type's own count. */
export interface Addressee {
  readonly type: string;
  readonly deadLetters: Partial<Record<DeadLetterReason, number>>;
}

export interface DeadLetters {
  /** How many, since the system started. */
  readonly counts: Readonly<Record<DeadLetterReason, number>>;
  /** The last 200, oldest first. */
  recent(): readonly DeadLetter[];
}

const KEPT = 200;
const LONGEST_NAME = 64;

export class DeadLetterOffice implements DeadLetters {
  readonly counts: Record<DeadLetterReason, number> = {
    stopped: 0,
    stale_incarnation: 0,
    mailbox_full: 0,
    expired_ask: 0,
    unknown: 0,
  };
  readonly #clock: Clock;
  readonly #last = new Ring<DeadLetter>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  record(reason: DeadLetterReason, path: string, addressee: Addressee, message: unknown): void {
    this.counts[reason] += 1;
    addressee.deadLetters[reason] = (addressee.deadLetters[reason] ?? 0) + 1;
    if (this.#last.size === KEPT) this.#last.shift();
    this.#last.push({
      reason,
      path,
      actorType: addressee.type,
      messageType: messageTypeOf(message),
      at: this.#clock.now(),
    });
  }

  recent(): readonly DeadLetter[] {
    return this.#last.toArray();
  }
}

/** The name a message gives itself, for logs and metrics; never its content. */
export function messageTypeOf(message: unknown): string {
  if (typeof message !== 'object' || message === null) return typeof message;
  const { type } = message as { readonly type?: unknown };
  return typeof type === 'string' ? type.slice(0, LONGEST_NAME) : 'object';
}
