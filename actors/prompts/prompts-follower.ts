/**
 * Keeps a gateway's prompts in step with those that the api mirrors: a look each second, which asks for what was made since. A store that is
 * away or lost its data takes nothing away: a prompt has newer texts and no end.
 */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { SystemPrompt } from './system-prompt.ts';

/** The newest text of each prompt, by its name. */
export type PromptTable = Map<string, SystemPrompt>;

export interface PromptSource {
  /** Prompts that are not in `known`, or whose newest text was made later. Rejects when the store is away. */
  newerThan(known: ReadonlyMap<string, SystemPrompt>): Promise<readonly SystemPrompt[]>;
}

interface Look {
  readonly type: 'look';
}

const LOOK_EVERY_MS = 1_000;

export function promptsFollower(table: PromptTable, source: PromptSource): ActorDefinition<Look> {
  return {
    type: 'prompts-follower',
    start: ({ self, timers, log }) => {
      let wasRead = false;
      let connected = false;
      self.tell({ type: 'look' });
      timers.every('look', LOOK_EVERY_MS, { type: 'look' });
      return {
        receive: async () => {
          try {
            for (const prompt of await source.newerThan(table)) table.set(prompt.name, prompt);
            wasRead = connected = true;
          } catch (error) {
            if (connected) log.warn('the prompts cannot be followed', { error: String(error) });
            connected = false;
          }
        },
        ready: () => wasRead,
        describe: () => ({ prompts: table.size, connected }),
      };
    },
  };
}
