/**
 * Lists that are read page by page. A cursor is the key of the last row that was seen, wrapped so that callers do not build on what is
 * inside; a row that is added meanwhile neither repeats nor hides another.
 */
import { Type, type Static, type TSchema } from '@sinclair/typebox';
import { VelloError } from '../../../config/errors.ts';
import { closed, described, nullable } from '../api/schemas.ts';

const MAX_PAGE = 100;
const DEFAULT_PAGE = 50;

export const PAGE_QUERY = closed({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: DEFAULT_PAGE, description: 'Most rows in the answer.' }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: '`next_cursor` of the page before. Absent: the newest rows.',
    }),
  ),
});

/** The answer of a list. */
export const pageOf = (items: TSchema) =>
  closed({
    items: Type.Array(items),
    next_cursor: described(nullable(Type.String()), 'Null on the last page.'),
  });

/** How one list writes its keys into cursors; its name keeps a cursor of one list from opening another. */
export interface CursorKind<K> {
  readonly list: string;
  /** Undefined for what is no key of this list. */
  readonly parse: (key: string) => K | undefined;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const uuidCursor = (list: string): CursorKind<string> => ({
  list,
  parse: (key) => (UUID.test(key) ? key : undefined),
});

export const numberCursor = (list: string): CursorKind<number> => ({
  list,
  parse: (key) => (/^\d{1,15}$/.test(key) ? Number(key) : undefined),
});

/**
 * Reads one page: asks for a row more than is shown, to know whether another page follows.
 * @throws VelloError `INVALID_FIELDS` for a cursor that this list did not give
 */
export async function readPage<K extends string | number, R>(
  query: Static<typeof PAGE_QUERY>,
  kind: CursorKind<K>,
  read: (slice: { readonly after: K | undefined; readonly limit: number }) => Promise<readonly R[]>,
  keyOf: (row: R) => K,
): Promise<{ readonly items: readonly R[]; readonly next_cursor: string | null }> {
  const limit = query.limit ?? DEFAULT_PAGE;
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, kind);
  const rows = await read({ after, limit: limit + 1 });
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items, next_cursor: more ? encodeCursor(kind.list, keyOf(last)) : null };
}

const encodeCursor = (list: string, key: string | number): string =>
  Buffer.from(`${list}:${key}`).toString('base64url');

function decodeCursor<K>(cursor: string, { list, parse }: CursorKind<K>): K {
  const [name, key] = Buffer.from(cursor, 'base64url').toString('latin1').split(':', 2);
  const parsed = name === list && key !== undefined ? parse(key) : undefined;
  if (parsed === undefined) {
    const fields = [{ field: '/cursor', problem: 'Expected the next_cursor of an earlier page of this list' }];
    throw new VelloError('INVALID_FIELDS', 'Some query parameters are invalid.', { fields });
  }
  return parsed;
}
