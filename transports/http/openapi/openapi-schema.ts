/** TypeBox schemas as plain JSON Schema for an OpenAPI document: named ones are collected once and referred to. */
import type { TSchema } from '@sinclair/typebox';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export interface SchemaCollector {
  /** Returns the schema, or a reference to it where it has an `$id`. */
  readonly add: (schema: TSchema) => JsonSchema;
  /** What was referred to so far, by name. */
  readonly collected: Readonly<Record<string, JsonSchema>>;
}

export function createSchemaCollector(): SchemaCollector {
  const collected: Record<string, JsonSchema> = {};

  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert);
    if (typeof value !== 'object' || value === null) return value;
    const { $id, ...rest } = value as JsonSchema;
    const converted = joinLiterals(Object.fromEntries(Object.entries(rest).map(([key, part]) => [key, convert(part)])));
    if (typeof $id !== 'string') return converted;
    collected[$id] = converted;
    return { $ref: `#/components/schemas/${$id}` };
  };

  return {
    // Through text, so that TypeBox's symbols fall away.
    add: (schema) => convert(JSON.parse(JSON.stringify(schema))) as JsonSchema,
    collected,
  };
}

/** A union of literals reads better as an enumeration. */
function joinLiterals(schema: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = schema;
  if (!Array.isArray(anyOf)) return schema;
  const literals = anyOf.map((option: unknown) => (option as JsonSchema)['const']);
  return literals.every((literal) => typeof literal === 'string')
    ? { ...rest, type: 'string', enum: literals }
    : schema;
}
