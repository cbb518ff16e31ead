/** Mirrors the newest text of each prompt from the database, where they are kept, to the store that gateways read: at each change, and again and again. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { AnnouncedChanges } from '../ports/announced-changes.ts';
import type { SystemPrompt } from './system-prompt.ts';

interface Mirror {
  readonly type: 'mirror';
}

export interface PromptMirrorParts {
  readonly changes: AnnouncedChanges;
  /** The newest of each name, as the database has it. */
  readonly prompts: { newest(): Promise<readonly SystemPrompt[]> };
  /** What gateways read. An older text than it has changes nothing: other processes mirror as well. */
  readonly shelf: { put(prompts: readonly SystemPrompt[]): Promise<void> };
}

/** A store that lost its data has them back after this long. */
const MIRROR_EVERY_MS = 30_000;

export function promptMirror({ changes, prompts, shelf }: PromptMirrorParts): ActorDefinition<Mirror> {
  return {
    type: 'prompt-mirror',
    start: async ({ self, timers, log }) => {
      const stop = await changes.follow((table) => {
        if (table === undefined || table === 'system_prompts') self.tell({ type: 'mirror' });
      });
      self.tell({ type: 'mirror' });
      timers.every('mirror', MIRROR_EVERY_MS, { type: 'mirror' });
      let mirrored = 0;
      let failed = false;
      return {
        receive: async () => {
          try {
            const newest = await prompts.newest();
            await shelf.put(newest);
            mirrored = newest.length;
            failed = false;
          } catch (error) {
            // A restart would try again at once, and nothing depends on it.
            if (!failed) log.warn('the prompts cannot be mirrored', { error: String(error) });
            failed = true;
          }
        },
        stop,
        describe: () => ({ prompts: mirrored, failed }),
      };
    },
  };
}
