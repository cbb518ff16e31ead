/** Bounds what many holders keep in memory together. */

export interface ByteBudget {
  /** Takes `bytes` and returns true, or takes nothing. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

export function createByteBudget(mostBytes: number): ByteBudget {
  let taken = 0;
  return {
    take: (bytes) => {
      if (taken + bytes > mostBytes) return false;
      taken += bytes;
      return true;
    },
    giveBack: (bytes) => {
      taken -= bytes;
    },
  };
}
