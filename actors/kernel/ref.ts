/** An actor's address: one incarnation of one path. It never reaches the actor that later takes the same path. */

/** What became of a message. `dead` and `mailbox_full` are also counted as dead letters. */
export type TellResult = 'delivered' | 'mailbox_full' | 'dead';

/** The way back for one ask. Only the first call counts; after the deadline it becomes a dead letter. */
export interface Reply<R> {
  ok(value: R): void;
  fail(error: Error): void;
}

export interface Ref<M> {
  /** From the root: `vello/api/notices`. */
  readonly path: string;
  /** The definition's type: the label under which it is measured. */
  readonly type: string;
  /** Grows with every start in this system; two incarnations of one path never share it. */
  readonly incarnation: number;
  tell(message: M): TellResult;
  /**
   * Sends the message that `message` builds around a reply, and resolves to the answer.
   * Rejects with AskError: ASK_TIMEOUT after `timeoutMs`, ASK_TARGET_STOPPED at once when the target ends, or whoever
   * took the message over ends with it in its mailbox; ASK_MAILBOX_FULL.
   */
  ask<R>(message: (reply: Reply<R>) => M, timeoutMs: number): Promise<R>;
}
