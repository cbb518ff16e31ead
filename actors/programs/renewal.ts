/** Replaces the gateway processes one by one, so that there are always others. A round that fails stops where it is: what still serves goes on. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Ref } from '../kernel/ref.ts';
import { renewalMs, type GatewayProcessMessage } from './gateway-process.ts';

export interface RenewAll {
  readonly type: 'renew-all';
}

/** What an operator waits for: rounds that were begun and ended since the start, and what went wrong in the last. */
export interface Renewals {
  readonly begun: number;
  readonly ended: number;
  readonly problem?: string;
}

export interface RenewalOptions {
  /** Those of the gateway processes, in the order in which they are replaced. */
  readonly paths: readonly string[];
  readonly resolve: (path: string) => Ref<GatewayProcessMessage> | undefined;
  /** Whether one that is gone left something that waits for the next to start. */
  readonly isOwed: () => boolean;
  readonly graceMs: number;
  readonly onChange: (renewals: Renewals) => void;
}

export function renewalActor(options: RenewalOptions): ActorDefinition<RenewAll> {
  const { paths, graceMs } = options;
  const longestMs = renewalMs(graceMs);
  return {
    type: 'gateway-renewal',
    handlerDeadlineMs: longestMs * (paths.length + 1),
    start(ctx) {
      let renewals: Renewals = { begun: 0, ended: 0 };
      const note = (next: Renewals) => {
        renewals = next;
        options.onChange(next);
      };

      const renew = async (path: string): Promise<string | undefined> => {
        const id = path.slice(path.lastIndexOf('/') + 1);
        const target = options.resolve(path);
        if (target === undefined) return `${id} is not running`;
        const problem = await target
          .ask<string | undefined>((reply) => ({ type: 'renew', reply }), longestMs)
          .catch((error: unknown) => (error as Error).message);
        if (problem !== undefined) return `${id}: ${problem}`;
        ctx.log.info('a gateway process was replaced', { process: id });
        return undefined;
      };

      const renewAll = async (): Promise<string | undefined> => {
        for (const path of paths) {
          const problem = await renew(path);
          if (problem !== undefined) return problem;
        }
        const [first] = paths;
        // The last to end may have left events, and nobody starts after it to find them.
        return options.isOwed() && first !== undefined ? renew(first) : undefined;
      };

      note(renewals);
      return {
        async receive() {
          note({ begun: renewals.begun + 1, ended: renewals.ended });
          const problem = await renewAll();
          if (problem !== undefined) ctx.log.error('the gateway processes were not all replaced', { problem });
          note({ begun: renewals.begun, ended: renewals.ended + 1, ...(problem !== undefined && { problem }) });
        },
        describe: () => ({ rounds: renewals.ended }),
      };
    },
  };
}
