/**
 * The orderly end, phase by phase: what each phase must do is registered by the roles, when and for how long is decided
 * here. Runs once. The tree itself is stopped afterwards, by the root.
 */
import type { Clock } from '../actors/ports/clock.ts';
import { DRAIN_PHASES, type DrainAction, type DrainPhase, type DrainPlan } from '../actors/ports/drain.ts';
import type { Log } from '../actors/ports/log.ts';

export interface DrainResult {
  /** Names of the actions that failed or that the deadline cut off, in order. */
  readonly cutOff: readonly string[];
}

interface Registered {
  readonly phase: DrainPhase;
  readonly name: string;
  readonly act: DrainAction;
}

export class Drain implements DrainPlan {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #registered = new Set<Registered>();
  #running: Promise<DrainResult> | undefined;
  #handsOver = false;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get isDraining(): boolean {
    return this.#running !== undefined;
  }

  get handsOver(): boolean {
    return this.#handsOver;
  }

  on(phase: DrainPhase, name: string, act: DrainAction): () => void {
    const registered = { phase, name, act };
    this.#registered.add(registered);
    return () => void this.#registered.delete(registered);
  }

  /** Runs all phases in order within `deadlineMs` in all; later phases start at once when it has passed, with an aborted signal. */
  run(deadlineMs: number, handsOver = false): Promise<DrainResult> {
    if (this.#running === undefined) this.#handsOver = handsOver;
    return (this.#running ??= this.#runAll(deadlineMs));
  }

  async #runAll(deadlineMs: number): Promise<DrainResult> {
    const deadline = createDeadline(this.#clock, deadlineMs);
    const cutOff: string[] = [];
    for (const phase of DRAIN_PHASES) {
      const startedMs = this.#clock.monotonicMs();
      const actions = [...this.#registered].filter((registered) => registered.phase === phase);
      const late = await Promise.all(actions.map((action) => this.#runOne(action, deadline)));
      cutOff.push(...late.filter((name) => name !== undefined));
      this.#log.info('drain phase done', { phase, elapsedMs: Math.round(this.#clock.monotonicMs() - startedMs) });
    }
    deadline.cancel();
    return { cutOff };
  }

  /** Resolves to the action's name when it failed or the deadline cut it off. */
  async #runOne({ phase, name, act }: Registered, deadline: Deadline): Promise<string | undefined> {
    const acted = (async () => act(deadline.signal))().then(
      () => 'done' as const,
      (error: unknown) => {
        this.#log.error('a drain action failed', { phase, name, error });
        return 'failed' as const;
      },
    );
    const outcome = await Promise.race([acted, passed(deadline)]);
    if (outcome === 'done') return undefined;
    if (outcome === 'failed') return `${phase}: ${name}`;
    this.#log.warn('the drain deadline cut an action off', { phase, name });
    return `${phase}: ${name}`;
  }
}

interface Deadline {
  readonly signal: AbortSignal;
  readonly passed: Promise<void>;
  cancel(): void;
}

function createDeadline(clock: Clock, deadlineMs: number): Deadline {
  const abort = new AbortController();
  let pass = (): void => undefined;
  const passed = new Promise<void>((resolve) => (pass = resolve));
  const timer = clock.setTimer(deadlineMs, () => {
    abort.abort();
    pass();
  });
  return { signal: abort.signal, passed, cancel: () => timer.cancel() };
}

/** False once the deadline has passed, and a moment later: an action that needs no waiting still counts as done. */
async function passed(deadline: Deadline): Promise<false> {
  await deadline.passed;
  await new Promise((resolve) => setImmediate(resolve));
  return false;
}
