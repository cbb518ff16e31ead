/** Hears of rotated signing keys and revoked service keys, and has them read again at once. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { KeyRing } from './key-ring.ts';

export type AnnouncedTable = 'service_accounts' | 'service_keys' | 'signing_keys';

/** Changes that every process must hear of at once, whoever made them. */
export interface AnnouncedChanges {
  /**
   * Calls `changed` for each change, and without a table whenever the connection was lost and is back: something may have been
   * missed then. Resolves once it listens, to a function that ends it.
   */
  follow(changed: (table: AnnouncedTable | undefined) => void): Promise<() => Promise<void>>;
}

interface Reload {
  readonly type: 'reload';
}

/** Retired keys leave the ring by time, without any announcement. */
const RELOAD_EVERY_MS = 60_000;

export function keyFollower(parts: {
  readonly changes: AnnouncedChanges;
  readonly keys: KeyRing;
  readonly services: { forget(): void };
}): ActorDefinition<Reload> {
  const { changes, keys, services } = parts;
  return {
    type: 'key-follower',
    start: async (ctx) => {
      const stop = await changes.follow((table) => {
        // Not through the mailbox: a revoked key must not wait behind the reading of another.
        services.forget();
        if (table === undefined || table === 'signing_keys') ctx.self.tell({ type: 'reload' });
      });
      ctx.timers.every('reload', RELOAD_EVERY_MS, { type: 'reload' });
      return { receive: () => keys.reload(), stop };
    },
  };
}
