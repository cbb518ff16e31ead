/**
 * Signs in to a store anew every few seconds, as the pools of its role do when they grow. A password that was changed, or a server that is
 * away, is thereby known before a request meets it: the role is not ready, and says why.
 */
import type { ActorDefinition } from '../kernel/actor.ts';

/** Whether a new connection to a store would be let in now: those that are open already say nothing about that. */
export interface StoreLogins {
  /** Resolves to what is wrong, for an operator to read, or undefined. Never rejects. */
  problem(): Promise<string | undefined>;
}

/** Together with one try this is how late a readiness can be. A sign-in costs both sides a few milliseconds. */
const TRY_EVERY_MS = 3000;

interface Try {
  readonly type: 'try';
}

export function loginWatch(logins: StoreLogins): ActorDefinition<Try> {
  return {
    type: 'login-watch',
    start: (ctx) => {
      let problem: string | undefined;
      ctx.timers.every('try', TRY_EVERY_MS, { type: 'try' });
      ctx.self.tell({ type: 'try' });
      return {
        receive: async () => {
          const found = await logins.problem();
          if (found !== problem) {
            if (found === undefined) ctx.log.info('the store lets us in again', { before: problem });
            else ctx.log.error('the store does not let us in', { problem: found });
          }
          problem = found;
        },
        ready: () => problem === undefined,
        describe: () => (problem === undefined ? {} : { problem }),
      };
    },
  };
}
