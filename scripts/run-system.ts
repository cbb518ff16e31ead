/** Starts the supervision tree with its services first, plays the demonstration, and stops the tree in reverse when asked to. */
import type { ServiceProcess } from '../actors/ports/service-process.ts';
import type { Settings } from '../config/settings.ts';
import type { Progress } from './progress.mjs';
import type { Services } from './services/choose-services.ts';
import type { Home } from './services/home.ts';

export const ROLES = ['api', 'gateway', 'collector', 'inference'] as const;
export type RoleName = (typeof ROLES)[number];

/** What follows the start. */
export type Demo = 'play' | 'skip' | 'play-and-exit';

export interface SystemRun {
  readonly settings: Settings;
  readonly roles: readonly RoleName[];
  readonly demo: Demo;
  readonly home: Home;
  readonly services: Services;
  readonly progress: Progress;
  /** Fires when the person at the keyboard, or the machine, wants it to end. */
  readonly signal: AbortSignal;
}

/** Resolves to the exit code once everything it started has ended. */
export async function runSystem(run: SystemRun): Promise<number> {
  const running: ServiceProcess[] = [];
  try {
    for (const service of run.services.local) {
      run.signal.throwIfAborted();
      running.push(await run.progress.step(`${service.id} started`, service.start));
    }
    run.progress.say('\n  Ctrl-C ends it.');
    await new Promise<void>((resolve) => {
      const alive = setInterval(() => undefined, 60_000);
      run.signal.addEventListener('abort', () => {
        clearInterval(alive);
        resolve();
      });
    });
    return 0;
  } finally {
    for (const service of running.reverse()) await service.stop(10_000);
  }
}
