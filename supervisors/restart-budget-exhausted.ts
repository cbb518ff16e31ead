/** How a supervisor fails upward: what its own exit reason carries. */

/** Its children could not be kept running. The cause is the last child's error. */
export class RestartBudgetExhausted extends Error {
  override readonly name = 'RestartBudgetExhausted';
  readonly code = 'RESTART_BUDGET_EXHAUSTED';
  readonly retryable = false;

  constructor(detail: string, cause: unknown) {
    super(detail, { cause });
  }
}
