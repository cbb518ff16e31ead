/** Why an incarnation ended. Decides nothing: a supervisor reads it and chooses whether to restart. */

export type ExitReason =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'killed'; readonly why: string }
  /** `messageType`: of the message whose handling failed; `start` when it failed to start. */
  | { readonly kind: 'crashed'; readonly error: Error; readonly messageType?: string };

export const NORMAL: ExitReason = { kind: 'normal' };
export const SHUTDOWN: ExitReason = { kind: 'shutdown' };

/** True for the ends that nobody asked for: a crash, or a kill after a deadline. */
export const isAbnormal = (reason: ExitReason): boolean => reason.kind === 'crashed' || reason.kind === 'killed';

/** One line for logs and snapshots, without a stack. */
export function describeExit(reason: ExitReason): string {
  if (reason.kind === 'crashed') return `crashed: ${reason.error.message}`;
  if (reason.kind === 'killed') return `killed: ${reason.why}`;
  return reason.kind;
}
