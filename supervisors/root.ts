/**
 * The whole process as one tree: the chosen roles under the root supervisor, in the order of `docs/architecture.md`. Decides when
 * the process ends and with which exit code; what a role consists of is the role's own file.
 */
import type { ActorSystem } from '../actors/kernel/actor-system.ts';
import { describeExit, type ExitReason } from '../actors/kernel/exit-reason.ts';
import type { LiveActor } from '../actors/kernel/kernel.ts';
import type { Clock } from '../actors/ports/clock.ts';
import type { Log } from '../actors/ports/log.ts';
import type { StopSignal } from '../transports/process/signals.ts';
import { supervisor, type SupervisorSpec } from './child-spec.ts';
import type { Drain } from './drain.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { supervisorDefinition } from './supervisor.ts';

export const ROOT = 'vello';

/** A signal, or another process that goes on in this one's place. */
export type StopCause = StopSignal | 'succession';

/** Start order; each may rely on those before it. `programs` are the databases that Vello starts for itself. */
const START_ORDER = ['programs', 'schema', 'node', 'api', 'gateway', 'collector', 'inference', 'ops'] as const;
export type RootChild = (typeof START_ORDER)[number];

/** A few restarts a minute; what fails more often than that is not cured by restarting. */
const ROOT_INTENSITY = 3;
const ROOT_PERIOD_MS = 60_000;
/** What the tree gets for stopping when the drain has used up everything. */
const LEAST_STOP_MS = 1_000;

/** The roles that were chosen, in start order whatever the order they are given in. */
export function rootSpec(roles: Partial<Record<RootChild, SupervisorSpec>>): SupervisorSpec {
  const children = START_ORDER.flatMap((role) => {
    const spec = roles[role];
    return spec === undefined ? [] : [supervisor(role, spec)];
  });
  return { strategy: 'restForOne', intensity: ROOT_INTENSITY, periodMs: ROOT_PERIOD_MS, children };
}

export interface RootOptions {
  readonly system: ActorSystem;
  readonly roles: Partial<Record<RootChild, SupervisorSpec>>;
  readonly drain: Drain;
  /** For the drain and the stop of the tree together. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1, for the jitter of restarts. */
  readonly random: () => number;
  /** Hands over how to stop: `orderly` once, `atOnce` at any time. Returns the way to unsubscribe. */
  onStop(handlers: { orderly(cause: StopCause): void; atOnce(signal: StopSignal): void }): () => void;
}

/** Starts the tree and resolves with the exit code when it has ended, for whatever reason. See `exit-codes.ts`. */
export async function runRoot(options: RootOptions): Promise<number> {
  const { system, log, drain } = options;
  const definition = supervisorDefinition(rootSpec(options.roles), { random: options.random });
  const root = system.spawn(ROOT, definition) as unknown as LiveActor;
  const ended = new Promise<ExitReason>((resolve) => root.onExit(resolve));
  return new Promise<number>((resolve) => {
    const finish = (code: number): void => {
      unsubscribe();
      resolve(code);
    };
    let isStopping = false;
    const unsubscribe = options.onStop({
      orderly: (cause) => {
        isStopping = true;
        log.info('stopping', { cause, drainMs: options.drainMs });
        void stopOrderly(options, root, cause).then(finish);
      },
      atOnce: (signal) => {
        log.warn('stopping at once', { signal });
        root.kill(`second ${signal}`);
        finish(exitCodeOf(signal));
      },
    });
    void ended.then(async (reason) => {
      if (isStopping) return;
      log.error('the root supervisor gave up', { exit: describeExit(reason) });
      await drain.run(LEAST_STOP_MS);
      await system.stop();
      finish(EXIT.failed);
    });
  });
}

async function stopOrderly(
  { system, clock, log, drain, drainMs }: RootOptions,
  root: LiveActor,
  cause: StopCause,
): Promise<number> {
  const startedMs = clock.monotonicMs();
  const { cutOff } = await drain.run(drainMs, cause === 'succession');
  const leftMs = Math.max(LEAST_STOP_MS, drainMs - (clock.monotonicMs() - startedMs));
  const killer = clock.setTimer(leftMs, () => root.kill(`the tree did not stop within ${Math.round(leftMs)} ms`));
  await system.stop();
  killer.cancel();
  const isKilled = root.exitReason?.kind === 'killed';
  if (cutOff.length > 0 || isKilled) log.warn('stopped, but something was cut off', { cutOff, treeKilled: isKilled });
  else log.info('stopped', { elapsedMs: Math.round(clock.monotonicMs() - startedMs) });
  return cutOff.length > 0 || isKilled ? EXIT.cutOff : EXIT.clean;
}
