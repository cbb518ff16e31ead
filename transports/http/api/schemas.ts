/** Pieces that the schemas of several routes share. */
import { Type, type ObjectOptions, type TProperties, type TSchema } from '@sinclair/typebox';

/** An object that refuses unknown fields. With an `$id` it gets a name in the OpenAPI document. */
export const closed = <P extends TProperties>(properties: P, options: ObjectOptions = {}) =>
  Type.Object(properties, { ...options, additionalProperties: false });

/** The same schema with a sentence of its own. */
export const described = <S extends TSchema>(schema: S, description: string): S => ({ ...schema, description });

export const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);

/** Exactly `bytes` bytes, without padding. */
export function base64url(bytes: number, description: string) {
  const length = Math.ceil((bytes * 8) / 6);
  return Type.String({ description, pattern: `^[A-Za-z0-9_-]{${length}}$`, examples: ['A'.repeat(length)] });
}

export const UUID = Type.String({ format: 'uuid' });

export const TIME = Type.String({
  description: 'ISO 8601, UTC, milliseconds.',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$',
  examples: ['2026-01-31T12:00:00.000Z'],
});

export const TOKEN_PAIR = {
  access_token: Type.String({ description: 'Opens the api, the gateway and the WebSocket.' }),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  refresh_token: base64url(32, 'Works once.'),
  refresh_expires_in: Type.Integer({ description: 'Seconds.' }),
};
