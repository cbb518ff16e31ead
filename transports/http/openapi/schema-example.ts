/** A value that a JSON Schema describes, for a reader to see the shape. Plausible, not exhaustive. */
import type { JsonSchema } from './openapi-schema.ts';

const BY_FORMAT: Readonly<Record<string, string>> = {
  uuid: '0198c5a0-7d1e-7b3a-9c4f-2f6d1a0b9e11',
  'date-time': '2026-01-31T12:00:00.000Z',
};

/** @param named the schemas that references point to. */
export function exampleOf(schema: JsonSchema, named: Readonly<Record<string, JsonSchema>>): unknown {
  const { $ref, anyOf, type, properties, items, format } = schema;
  if (typeof $ref === 'string') return exampleOf(named[$ref.split('/').at(-1) ?? ''] ?? {}, named);
  if ('default' in schema) return schema['default'];
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return (schema['enum'] as unknown[])[0];
  if (Array.isArray(anyOf)) return exampleOf((anyOf as JsonSchema[])[0] ?? {}, named);
  if (type === 'object' || properties !== undefined) {
    const members = Object.entries((properties ?? {}) as Readonly<Record<string, JsonSchema>>);
    return Object.fromEntries(members.map(([name, member]) => [name, exampleOf(member, named)]));
  }
  if (items !== undefined) return [exampleOf(items as JsonSchema, named)];
  if (type === 'integer' || type === 'number') return schema['minimum'] ?? 1;
  if (type === 'boolean') return true;
  return (typeof format === 'string' ? BY_FORMAT[format] : undefined) ?? '…';
}
