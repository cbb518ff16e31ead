/** Decides whose recording is worked on next: the caller's who was served least, in seconds of audio, and of theirs the one that is due. */

export interface FairEntry {
  readonly caller: string;
  /** When it came, and as many milliseconds later as it lasts: short before long, and nobody waits for ever. */
  readonly dueMs: number;
  /** Seconds of audio that are still to be heard, as far as known. */
  leftSeconds: number;
}

export interface FairQueue<Entry extends FairEntry> {
  enter(entry: Entry): void;
  leave(entry: Entry): void;
  /** The next of the candidates, all of them entered; its caller is charged a stretch in advance. */
  choose(candidates: Iterable<Entry>): Entry | undefined;
  /** Corrects the charge once it is known how much of the entry was heard on its turn. */
  settle(entry: Entry, heardSeconds: number): void;
}

/** What is charged in advance: as much as is heard between two borders at most. */
const STRETCH_SECONDS = 30;

interface Caller {
  servedSeconds: number;
  entries: number;
}

/** Start-time fair queueing (Goyal, Vin and Cheng, 1996): who comes starts where the others are, and saves up nothing while away. */
export function createFairQueue<Entry extends FairEntry>(): FairQueue<Entry> {
  const callers = new Map<string, Caller>();
  const charged = new Map<Entry, number>();
  let now = 0;

  const servedOf = (entry: Entry): number => callers.get(entry.caller)?.servedSeconds ?? 0;
  const isBefore = (one: Entry, other: Entry): boolean =>
    servedOf(one) === servedOf(other) || one.caller === other.caller
      ? one.dueMs < other.dueMs
      : servedOf(one) < servedOf(other);

  return {
    enter(entry) {
      const caller = callers.get(entry.caller) ?? { servedSeconds: now, entries: 0 };
      caller.entries += 1;
      callers.set(entry.caller, caller);
    },
    leave(entry) {
      charged.delete(entry);
      const caller = callers.get(entry.caller);
      if (caller === undefined) return;
      caller.entries -= 1;
      if (caller.entries === 0) callers.delete(entry.caller);
    },
    choose(candidates) {
      let chosen: Entry | undefined;
      for (const entry of candidates) if (chosen === undefined || isBefore(entry, chosen)) chosen = entry;
      const caller = chosen === undefined ? undefined : callers.get(chosen.caller);
      if (chosen === undefined || caller === undefined) return undefined;
      now = Math.max(now, caller.servedSeconds);
      const seconds = Math.min(STRETCH_SECONDS, chosen.leftSeconds);
      charged.set(chosen, seconds);
      caller.servedSeconds += seconds;
      return chosen;
    },
    settle(entry, heardSeconds) {
      const caller = callers.get(entry.caller);
      if (caller !== undefined) caller.servedSeconds += heardSeconds - (charged.get(entry) ?? 0);
      charged.delete(entry);
      entry.leftSeconds = Math.max(0, entry.leftSeconds - heardSeconds);
    },
  };
}
