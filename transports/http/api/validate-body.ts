/**
 * JSON from outside, checked against a TypeBox schema: what a caller sent either is a value of the schema's type or is refused with
 * every offending field named. Knows nothing of routes; `api-route.ts` decides what is checked when.
 */
import { FormatRegistry, type Static, type TSchema } from '@sinclair/typebox';
import { TypeCompiler } from '@sinclair/typebox/compiler';
import { isStorable } from '../../../actors/events/field-codecs.ts';
import { escapePointer, invalidFields, VelloError } from '../../../config/errors.ts';

/** Returns the value as the schema's type. @throws VelloError `INVALID_FIELDS`, with a JSON pointer for each field */
export type Check<S extends TSchema> = (value: unknown) => Static<S>;

/** Levels of nesting in a body. Ours need four; the limit keeps whoever walks a value from running out of stack. */
const MAX_DEPTH = 32;
/** More are not looked for. */
const MAX_PROBLEMS = 100;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
FormatRegistry.Set('uuid', (text) => UUID.test(text));

/** Compiles the schema once. Objects must be declared with `additionalProperties: false` to refuse unknown fields. */
export function compileCheck<S extends TSchema>(schema: S, what = 'Some fields are invalid.'): Check<S> {
  const compiled = TypeCompiler.Compile(schema);
  return (value) => {
    if (compiled.Check(value)) return value;
    const problems = new Map<string, string>();
    for (const { path, message } of compiled.Errors(value)) {
      // The first problem of a field says most: a missing one is also "not a string".
      if (!problems.has(path)) problems.set(path, message);
      if (problems.size === MAX_PROBLEMS) break;
    }
    throw invalidFields(what, problems);
  };
}

/** Refuses a body that does not call itself JSON in UTF-8. @throws VelloError `UNSUPPORTED_MEDIA_TYPE` */
export function requireJson(contentType: string): void {
  if (!/^application\/json *(; *charset="?utf-8"?)? *$/i.test(contentType)) {
    throw new VelloError('UNSUPPORTED_MEDIA_TYPE', 'Send Content-Type: application/json, in UTF-8.');
  }
}

/**
 * Returns the JSON value of a body. Text that a database could not keep (U+0000, half of a surrogate pair) is refused here, so
 * that no handler meets it, unless the handler takes `anyText` and sees to it itself.
 * @throws VelloError `BAD_REQUEST` for what is not JSON in UTF-8 or is nested too deep, `INVALID_FIELDS` for unusable text
 */
export function parseJson(body: Buffer, anyText = false): unknown {
  const text = decodeUtf8(body);
  const value = parse(text);
  const problems = new Map<string, string>();
  // Only an escape can smuggle such characters in: raw ones already failed as UTF-8 or as JSON.
  inspect(value, '', 0, !anyText && text.includes('\\u') ? problems : undefined);
  if (problems.size > 0) throw invalidFields('Some texts hold characters that cannot be stored.', problems);
  return value;
}

/** The JSON value of a body whatever it holds and however deep, for who passes it on. @throws VelloError `BAD_REQUEST` */
export const parseAnyJson = (body: Buffer): unknown => parse(decodeUtf8(body));

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new VelloError('BAD_REQUEST', 'The body is not valid UTF-8.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message would quote the body.
    throw new VelloError('BAD_REQUEST', 'The body is not valid JSON.');
  }
}

function inspect(value: unknown, pointer: string, depth: number, problems: Map<string, string> | undefined): void {
  if (typeof value === 'string') {
    if (problems !== undefined && problems.size < MAX_PROBLEMS && !isStorable(value)) {
      problems.set(pointer, 'Expected text without U+0000 and unpaired surrogates');
    }
  } else if (typeof value === 'object' && value !== null) {
    if (depth === MAX_DEPTH) throw new VelloError('BAD_REQUEST', `The body is nested deeper than ${MAX_DEPTH} levels.`);
    for (const [key, member] of Object.entries(value)) {
      const path = problems === undefined ? '' : `${pointer}/${escapePointer(key)}`;
      if (problems !== undefined) inspect(key, path, depth + 1, problems);
      inspect(member, path, depth + 1, problems);
    }
  }
}
