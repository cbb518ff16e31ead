/** How a supervisor fails upward: what its own exit reason carries. */

/** Its children could not be kept running. The cause is the last child's error. */
export class SupervisorError extends Error {
  override readonly name = 'SupervisorError';
  readonly code: 'RESTART_BUDGET_EXHAUSTED' | 'FAILURE_ESCALATED';
  readonly retryable = false;

  constructor(code: SupervisorError['code'], detail: string, cause: unknown) {
    super(detail, { cause });
    this.code = code;
  }
}
