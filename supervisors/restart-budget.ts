/** How many restarts a supervisor may make in a period before it must fail upward, as OTP counts them. */

export class RestartBudget {
  readonly intensity: number;
  readonly periodMs: number;
  #restartsAt: readonly number[] = [];

  constructor(intensity: number, periodMs: number) {
    this.intensity = intensity;
    this.periodMs = periodMs;
  }

  /** Counts a restart at `nowMs` (monotonic). False when it is one too many. */
  spend(nowMs: number): boolean {
    this.#restartsAt = [...this.#within(nowMs), nowMs];
    return this.#restartsAt.length <= this.intensity;
  }

  /** Restarts that still count at `nowMs`. */
  used(nowMs: number): number {
    return this.#within(nowMs).length;
  }

  #within(nowMs: number): readonly number[] {
    return this.#restartsAt.filter((at) => at >= nowMs - this.periodMs);
  }
}
