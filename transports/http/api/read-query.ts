/** Query parameters as the object that a schema describes: text, and whole numbers where the schema says so. Judges nothing else. */
import { KindGuard, type TObject } from '@sinclair/typebox';

/** A parameter given twice comes out as a list, which no schema of ours takes: the check then names it. */
export function readQuery(query: URLSearchParams, schema: TObject): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of new Set(query.keys())) {
    const given = query.getAll(name);
    const text = given[0] ?? '';
    const declared = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    const isNumber = declared !== undefined && KindGuard.IsInteger(declared) && /^-?\d{1,15}$/.test(text);
    values[name] = given.length > 1 ? given : isNumber ? Number(text) : text;
  }
  return values;
}
