/** How the values of a usage event stand as text. Text is what every database keeps: PostgreSQL takes neither U+0000 nor half of a surrogate pair. */

/** One kind of value. `write` leaves to `read` whether the value is one of its kind. */
export interface FieldCodec<T> {
  write(value: T): string;
  /** The value, or a `TypeError` that completes "must be …". */
  read(text: string): T;
}

const UNSTORABLE = /[\0\p{Surrogate}]/u;
const EVERY_UNSTORABLE = new RegExp(UNSTORABLE, 'gu');

export const isStorable = (text: string): boolean => !UNSTORABLE.test(text);

/** What no database would keep is replaced by U+FFFD, so that work done is recorded all the same. */
export const storableText = (text: string): string => text.replace(EVERY_UNSTORABLE, '\ufffd');

const asIs = <T extends string>(text: T): T => text;

const storable = (text: string): string => {
  if (isStorable(text)) return text;
  throw new TypeError('must hold no U+0000 and no unpaired surrogate');
};

export const anyText: FieldCodec<string> = { write: asIs, read: storable };

/** For what others wrote. */
export const mendedText: FieldCodec<string> = { write: storableText, read: storable };

export const uuid: FieldCodec<string> = {
  write: asIs,
  read: (text) => {
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return text;
    throw new TypeError('must be a UUID in lower case');
  },
};

export const oneOf = <T extends string>(choices: readonly T[]): FieldCodec<T> => ({
  write: asIs,
  read: (text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    throw new TypeError(`must be one of ${choices.join(', ')}`);
  },
});

/** Larger numbers are still exact in a `bigint` column and in JavaScript. */
const MOST = 1e15;

export const wholeUpTo = (most: number): FieldCodec<number> => ({
  write: String,
  read: (text) => {
    if (/^\d{1,15}$/.test(text) && Number(text) <= most) return Number(text);
    throw new TypeError(`must be a whole number, not negative${most === MOST ? '' : ` and at most ${most}`}`);
  },
});

export const whole = wholeUpTo(MOST);

export const numberUpTo = (most: number): FieldCodec<number> => ({
  write: String,
  read: (text) => {
    if (/^\d{1,15}(\.\d+)?(e-\d{1,3})?$/.test(text) && Number(text) <= most) return Number(text);
    throw new TypeError(`must be a number, not negative and at most ${most}`);
  },
});

/** Deeper values would exhaust the stack of whoever walks them, PostgreSQL included. */
const MOST_LEVELS = 32;
/** U+0000 or half of a surrogate pair, as `JSON.stringify` writes them. `jsonb` takes neither. */
const UNSTORABLE_JSON = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

export const jsonObject: FieldCodec<Readonly<Record<string, unknown>>> = {
  /** What cannot be stored is written as an escape, so that the common case needs no second look. */
  write: (value) => {
    const text = JSON.stringify(value);
    if (!text.includes('\\u')) return text;
    return JSON.stringify(value, (_, member: unknown) => (typeof member === 'string' ? storableText(member) : member));
  },
  read: (text) => {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
      throw new TypeError('must be a JSON object');
    }
    if (isDeeperThan(parsed, MOST_LEVELS)) throw new TypeError(`must be nested at most ${MOST_LEVELS} levels`);
    // Without an escape it holds what its text holds.
    if (storable(text).includes('\\u') && UNSTORABLE_JSON.test(JSON.stringify(parsed)))
      throw new TypeError('must hold no U+0000 and no unpaired surrogate');
    return parsed as Record<string, unknown>;
  },
};

/** Whether an object from outside may go into an event: one that is nested deeper cannot even be written. */
export const isShallow = (value: object): boolean => !isDeeperThan(value, MOST_LEVELS);

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1));
}
