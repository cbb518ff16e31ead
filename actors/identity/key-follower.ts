/** Hears of rotated signing keys and revoked service keys, and has them read again at once. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { AnnouncedChanges } from '../ports/announced-changes.ts';
import type { KeyRing } from './key-ring.ts';

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
        if (table === 'system_prompts') return;
        // Not through the mailbox: a revoked key must not wait behind the reading of another.
        services.forget();
        if (table === undefined || table === 'signing_keys') ctx.self.tell({ type: 'reload' });
      });
      ctx.timers.every('reload', RELOAD_EVERY_MS, { type: 'reload' });
      return { receive: () => keys.reload(), stop };
    },
  };
}
