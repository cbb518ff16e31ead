/**
 * Which words of a text that is recognised again and again, each time with more of what was said, can be told already: those in which two
 * recognitions in a row agree (Macháček, Dabre and Bojar, 2023: LocalAgreement). The last word heard is seldom the last word said.
 */

export interface AgreedWords {
  /** The next recognition's text. Returns what can be told beyond what was told before; mostly a few words, possibly none. */
  add(text: string): string;
}

export function createAgreedWords(): AgreedWords {
  let before: readonly string[] = [];
  let told: readonly string[] = [];
  return {
    add: (text) => {
      const words = text.split(/\s+/).filter((word) => word !== '');
      const agreed = words.slice(0, commonLength(before, words));
      before = words;
      if (commonLength(told, agreed) < told.length) return '';
      const fresh = agreed.slice(told.length).join(' ');
      const delta = told.length > 0 && fresh !== '' ? ` ${fresh}` : fresh;
      told = agreed;
      return delta;
    },
  };
}

function commonLength(one: readonly string[], other: readonly string[]): number {
  const different = one.findIndex((word, index) => word !== other[index]);
  return different === -1 ? Math.min(one.length, other.length) : different;
}
