/** Text as every database keeps it: PostgreSQL takes neither U+0000 nor half of a surrogate pair. */

const UNSTORABLE = /[\0\p{Surrogate}]/u;
const EVERY_UNSTORABLE = new RegExp(UNSTORABLE, 'gu');

export const isStorable = (text: string): boolean => !UNSTORABLE.test(text);

/** What no database would keep is replaced by U+FFFD, so that work done is recorded all the same. */
export const storableText = (text: string): string => text.replace(EVERY_UNSTORABLE, '\ufffd');
