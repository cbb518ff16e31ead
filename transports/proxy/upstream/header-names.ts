/** A few names of headers that are looked for among many: each is found by its bytes, in any case, and no string is made of the others. */

interface Name {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export class HeaderNames {
  readonly #byLength: Name[][] = [];

  /** @param names in lower case, of letters, digits and hyphens, which differ in no other way than by case when 0x20 is set in each byte. */
  constructor(names: Iterable<string>) {
    for (const name of new Set(names)) {
      if (!/^[a-z\d-]+$/.test(name)) throw new Error(`Not a name that can be looked for: ${name}`);
      (this.#byLength[name.length] ??= []).push({ name, bytes: Buffer.from(name) });
    }
  }

  /** The name that stands from `from` to `to`, which must be a token (RFC 9110 §5.6.2). */
  find(bytes: Uint8Array, from: number, to: number): string | undefined {
    const candidates = this.#byLength[to - from];
    if (candidates === undefined) return undefined;
    for (const { name, bytes: expected } of candidates) {
      let at = 0;
      while (at < expected.length && ((bytes[from + at] ?? 0) | 0x20) === expected[at]) at += 1;
      if (at === expected.length) return name;
    }
    return undefined;
  }
}
