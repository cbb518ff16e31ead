/** A map in bounded memory: what was touched longest ago gives way. Holds no opinion on how long anything is worth keeping. */

export interface RecentMap<V> {
  /** Counts as a touch. */
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
}

/** Keeps the `capacity` entries that were touched last. */
export function createRecentMap<V>(capacity: number): RecentMap<V> {
  // A Map's order is that of insertion: what is deleted and set again moves to the end.
  const entries = new Map<string, V>();
  return {
    get: (key) => {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set: (key, value) => {
      entries.delete(key);
      entries.set(key, value);
      const oldest = entries.size > capacity ? entries.keys().next() : undefined;
      if (oldest?.done === false) entries.delete(oldest.value);
    },
    delete: (key) => void entries.delete(key),
  };
}
