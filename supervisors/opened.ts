/** What a role opens before its other children start and closes after them: an actor owns its life, the others use it in between. */
import type { ActorDefinition } from '../actors/kernel/actor.ts';

export interface Closable {
  close(): Promise<void>;
}

export interface Opened<T> {
  /** To be a child before all that use it. */
  readonly owner: ActorDefinition<never>;
  /** The thing itself. @throws Error while it is not open: a user stands before its owner in the role's list. */
  readonly use: () => T;
}

export function opened<T extends Closable>(type: string, open: () => Promise<T>): Opened<T> {
  let current: T | undefined;
  return {
    owner: {
      type,
      start: async () => {
        const mine = await open();
        current = mine;
        return {
          receive: () => undefined,
          stop: async () => {
            current = undefined;
            await mine.close();
          },
        };
      },
    },
    use: () => {
      if (current === undefined) throw new Error(`${type} is not open`);
      return current;
    },
  };
}
