/** The orderly end as those who take part in it see it: each says what it does in which phase. */

/**
 * `notReady`: readiness goes red, so that balancers look elsewhere. `stopAccepting`: listeners close. `finish`: requests and
 * jobs under way end. `flush`: events and acknowledgements go out. `handOff`: sessions move. `release`: leases are given up,
 * last, since everything before may need them.
 */
export const DRAIN_PHASES = ['notReady', 'stopAccepting', 'finish', 'flush', 'handOff', 'release'] as const;
export type DrainPhase = (typeof DRAIN_PHASES)[number];

/** `signal` aborts at the deadline. A rejection is logged and counts as cut off: the end goes on. */
export type DrainAction = (signal: AbortSignal) => void | Promise<void>;

export interface DrainPlan {
  /** Adds an action to a phase; those of one phase run together. Returns the way to take it out again. */
  on(phase: DrainPhase, name: string, act: DrainAction): () => void;
  /** Another process goes on in this one's place: whoever is still connected shall notice nothing. */
  readonly handsOver: boolean;
}
