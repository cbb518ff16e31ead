/**
 * An actor that only holds a lifetime: it opens a thing, has it open while it runs, and closes it. It takes no messages; in between
 * the others use the thing itself.
 */
import type { ActorContext, ActorDefinition, Facts } from './actor.ts';

export interface Closable {
  close(): void | Promise<void>;
}

export interface Owned<T> extends ActorDefinition<never> {
  /** What the present incarnation has open. @throws Error while that is nothing: a user stands before its owner in the role's list */
  readonly use: () => T;
}

/** What a thing says of itself, as a behaviour does. */
interface OwnedFacts<T> {
  readonly ready?: (thing: T) => boolean;
  readonly describe?: (thing: T) => Facts;
}

/**
 * Each incarnation opens a thing of its own; `open` leaves nothing open when it rejects. One that opens after its incarnation was told
 * to stop, or was killed, is closed without anybody having used it.
 */
export function owned<T extends Closable>(
  type: string,
  open: (ctx: ActorContext<never>) => T | Promise<T>,
  { ready, describe }: OwnedFacts<T> = {},
): Owned<T> {
  let current: T | undefined;
  return {
    type,
    start: async (ctx) => {
      const thing = await open(ctx);
      if (!ctx.signal.aborted) current = thing;
      return {
        receive: () => undefined,
        stop: async () => {
          // One that was killed may come back when its successor has long opened another.
          if (current === thing) current = undefined;
          await thing.close();
        },
        ...(ready && { ready: () => ready(thing) }),
        ...(describe && { describe: () => describe(thing) }),
      };
    },
    use: () => {
      if (current === undefined) throw new Error(`${type} is not open`);
      return current;
    },
  };
}
