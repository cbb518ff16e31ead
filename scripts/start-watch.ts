/** Follows the first start of the tree: shows its slow parts as steps, and tells at once when one of them cannot start. */
import type { Progress } from './progress.mjs';

export interface StartWatch {
  /** Runs `work`, the first time as a step whose failure fails the start; later times are restarts, which are the tree's affair. */
  observe<T>(title: string, work: () => Promise<T>): Promise<T>;
  /** Rejects with the first failure of an observed step. Never resolves. */
  readonly failure: Promise<never>;
  /** Resolves to true once readiness is green. @throws Error naming what is still missing after two minutes. */
  settled(readiness: () => { readonly isReady: boolean; readonly waitingFor: readonly string[] }): Promise<true>;
}

const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 25;

export function createStartWatch(progress: Progress): StartWatch {
  const seen = new Set<string>();
  const under = { way: 0 };
  let fail: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever waits for it hears of it; after the start nobody does.
  failure.catch(() => undefined);
  return {
    failure,
    async observe(title, work) {
      if (seen.has(title)) return work();
      seen.add(title);
      under.way += 1;
      try {
        return await progress.step(title, work);
      } catch (error) {
        fail(error);
        throw error;
      } finally {
        under.way -= 1;
      }
    },
    async settled(readiness) {
      const startedAt = performance.now();
      // The roles' own step begins when the steps before it are through: one line of the terminal is rewritten at a time.
      while (under.way > 0 || readiness().waitingFor.some((path) => /\/(?:programs|schema)(?:\/|$)/.test(path)))
        await pause();
      await progress.step('Roles ready', async (report) => {
        for (let state = readiness(); !state.isReady; state = readiness()) {
          report(`waiting for ${state.waitingFor.map((path) => path.replace(/^[^/]*\//, '')).join(', ')}`);
          if (performance.now() - startedAt > READY_TIMEOUT_MS) {
            throw new Error(`not ready after ${READY_TIMEOUT_MS / 1000} s: ${state.waitingFor.join(', ')}.`);
          }
          await pause();
        }
      });
      return true;
    },
  };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));
