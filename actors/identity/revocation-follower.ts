/** Keeps the revocations of this process true: owns the reading of the published grants, from the beginning and for as long as it lives. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { GrantSource } from '../ports/grants.ts';
import type { Revocations } from './revocations.ts';

interface Ended {
  readonly type: 'ended';
  readonly error: unknown;
}

export function revocationFollower(revocations: Revocations, source: GrantSource): ActorDefinition<Ended> {
  return {
    type: 'revocation-follower',
    start: (ctx) => {
      const reading = source.follow(revocations, ctx.signal);
      reading.catch((error: unknown) => ctx.self.tell({ type: 'ended', error }));
      return {
        receive: ({ error }) => {
          throw error;
        },
        stop: () => reading.catch(() => undefined),
        ready: () => revocations.ready,
      };
    },
  };
}
