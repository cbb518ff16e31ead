/** An entry of the control lane: a message that is never dropped and goes before the data lane, unless withdrawn in time. */

export const WITHDRAWN = Symbol('withdrawn');

export interface Notice {
  /** How often this message was handed to the actor before. */
  readonly attempt: number;
  /** The message, made when its turn comes; WITHDRAWN when it is no longer wanted. */
  take(): unknown;
}
