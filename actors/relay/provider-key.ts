/** A provider's key as an object that cannot be printed, and the ring that shares calls out among several. */

/** Logged, serialised or inspected it shows its id; only `reveal` gives the secret. */
export class ProviderKey {
  readonly id: string;
  readonly #secret: string;

  constructor(id: string, secret: string) {
    this.id = id;
    this.#secret = secret;
  }

  reveal(): string {
    return this.#secret;
  }

  toJSON(): { readonly id: string } {
    return { id: this.id };
  }
}

export interface ProviderKeys {
  /** The key for the next call; `undefined` for a provider that asks for none. */
  next(): ProviderKey | undefined;
  readonly size: number;
}

/** Takes the keys in turn. */
export function createProviderKeys(keys: readonly ProviderKey[]): ProviderKeys {
  let taken = 0;
  return {
    next: () => {
      if (keys.length === 0) return undefined;
      const key = keys[taken % keys.length];
      taken += 1;
      return key;
    },
    size: keys.length,
  };
}
