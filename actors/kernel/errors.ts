/** The kernel's own errors. Each has a stable `code`; `retryable` says whether the same call may succeed later. */

export type AskErrorCode = 'ASK_TIMEOUT' | 'ASK_TARGET_STOPPED' | 'ASK_MAILBOX_FULL';

const ASK_MESSAGES: Readonly<Record<AskErrorCode, string>> = {
  ASK_TIMEOUT: 'did not answer in time',
  ASK_TARGET_STOPPED: 'stopped before it answered',
  ASK_MAILBOX_FULL: 'has a full mailbox',
};

/** An ask that got no answer. A timeout means the outcome is unknown, not that nothing happened. */
export class AskError extends Error {
  override readonly name = 'AskError';
  readonly code: AskErrorCode;
  readonly retryable: boolean;

  constructor(code: AskErrorCode, targetPath: string) {
    super(`${targetPath} ${ASK_MESSAGES[code]}`);
    this.code = code;
    this.retryable = code === 'ASK_MAILBOX_FULL';
  }
}

export type KernelErrorCode = 'ACTOR_ID_INVALID' | 'ACTOR_ID_TAKEN' | 'ACTOR_PARENT_STOPPED' | 'ACTOR_SPEC_INVALID';

/** A call that could never work: a mistake of the caller, found before anything was started. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;
  readonly retryable = false;

  constructor(code: KernelErrorCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Anything thrown, as an Error: JavaScript may throw strings, objects without a prototype and revoked proxies. Never throws. */
export function toError(thrown: unknown): Error {
  try {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  } catch {
    return new Error('Something was thrown that cannot be shown as text.');
  }
}
