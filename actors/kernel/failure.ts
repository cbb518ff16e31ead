/** A failed message as a value, and what can be done about it. The kernel reports and obeys; it does not choose. */
import type { Ref } from './ref.ts';

export interface Failure {
  readonly ref: Ref<never>;
  readonly messageType: string;
  readonly error: Error;
  /** 1 for the first time this message failed. */
  readonly attempt: number;
}

/**
 * `retry`: the same message again, after `delayMs`; others may go before it.
 * `deadLetter`: the message is given up, the actor goes on. `crash`: the incarnation ends as crashed.
 * `pause`: the actor handles nothing until resumed (`forMs` undefined: by command only), then gets the message again.
 */
export type Decision =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'deadLetter' }
  | { readonly kind: 'pause'; readonly forMs?: number }
  | { readonly kind: 'crash' };

export const CRASH: Decision = { kind: 'crash' };
