/**
 * Says again what a crash between a commit and its announcement may have left unsaid, and removes what is past keeping. Both may be
 * done by any number of processes at once.
 */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { GrantPublisher } from '../ports/grants.ts';

export interface RecentRestrictions {
  /** Families that were revoked since then. */
  readonly familyIds: readonly string[];
  /** Users whose credits ran out since then, and still are. */
  readonly suspendedUserIds: readonly string[];
}

/** What the store of identity needs done from time to time. */
export interface IdentityUpkeep {
  recentRestrictions(withinMs: number): Promise<RecentRestrictions>;
  /** Removes what is past keeping, at most a few thousand rows a call. Returns how many. */
  removeExpired(): Promise<number>;
}

type JanitorMessage = { readonly type: 'announce' } | { readonly type: 'remove' };

const ANNOUNCE_EVERY_MS = 30_000;
/** Reaches back over several rounds: a round may fail with the store away. */
const ANNOUNCE_WITHIN_MS = 5 * 60_000;
const REMOVE_EVERY_MS = 10 * 60_000;

export function tokenJanitor(parts: {
  readonly upkeep: IdentityUpkeep;
  readonly grants: GrantPublisher;
}): ActorDefinition<JanitorMessage> {
  const { upkeep, grants } = parts;
  return {
    type: 'token-janitor',
    start: (ctx) => {
      ctx.timers.every('announce', ANNOUNCE_EVERY_MS, { type: 'announce' });
      ctx.timers.every('remove', REMOVE_EVERY_MS, { type: 'remove' });
      let removed = 0;
      return {
        receive: async ({ type }) => {
          if (type === 'remove') {
            removed += await upkeep.removeExpired();
            return;
          }
          const { familyIds, suspendedUserIds } = await upkeep.recentRestrictions(ANNOUNCE_WITHIN_MS);
          for (const familyId of familyIds) await grants.revoke({ familyId });
          for (const userId of suspendedUserIds) await grants.suspend(userId);
        },
        describe: () => ({ removed }),
      };
    },
  };
}
