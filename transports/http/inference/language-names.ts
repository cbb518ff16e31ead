/** Languages as requests and answers name them: by code, or by their English name. */

const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

/** `portuguese` for `pt`. */
export const languageName = (code: string): string => (names.of(code) ?? code).toLowerCase();

/** Which of the languages is meant by `pt`, `pt-BR` or `Portuguese`; undefined: none of them. */
export function languageMeant(given: string, languages: readonly string[]): string | undefined {
  const text = given.toLowerCase();
  return languages.find((code) => text.replace(/-[a-z]{2}$/, '') === code || text === languageName(code));
}
