/** Keeps the grant table in step with what the api publishes. Ready once the history has been read, and from then on: old grants are better than none. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { GrantOperation, GrantSource } from '../ports/grants.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { GrantTable } from './grant-table.ts';

type FollowerMessage = { readonly type: 'sweep' } | { readonly type: 'ended'; readonly error: Error };

const SWEEP_MS = 5_000;

export interface GrantsFollowerParts {
  readonly table: GrantTable;
  readonly source: () => Pick<GrantSource, 'follow'>;
  readonly metrics: Metrics;
}

export function grantsFollower({ table, source, metrics }: GrantsFollowerParts): ActorDefinition<FollowerMessage> {
  return {
    type: 'grants-follower',
    start: ({ self, signal, timers }) => {
      let rebuilt = false;
      let connected = false;
      const follower = {
        apply: (operation: GrantOperation) => table.apply(operation),
        caughtUp: () => {
          rebuilt = true;
          connected = true;
        },
        lost: () => {
          connected = false;
        },
      };
      source()
        .follow(follower, signal)
        .catch((error: unknown) => {
          self.tell({ type: 'ended', error: error instanceof Error ? error : new Error(String(error)) });
        });
      timers.every('sweep', SWEEP_MS, { type: 'sweep' });
      return {
        receive: (message) => {
          if (message.type === 'ended') throw message.error;
          table.sweep();
          metrics.gauge('vello_gateway_grants', {}, table.size);
        },
        ready: () => rebuilt,
        describe: () => ({ grants: table.size, connected }),
      };
    },
  };
}
