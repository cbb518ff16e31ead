/**
 * What must be changed in the body of a streamed chat so that the provider counts its tokens (`stream_options.include_usage` of OpenAI's chat
 * completions). Pure; the bytes are changed by whoever holds them, and everything else in the body stays as it was.
 */
import type { JsonShape } from './json-body-scanner.ts';

/** `bytes` in place of those from `start` to `end` of the body. */
export interface BodyChange {
  readonly start: number;
  readonly end: number;
  readonly bytes: Buffer;
}

const ASKED = '{"include_usage":true}';
const option = Buffer.from(`,"stream_options":${ASKED}`);

/** Bytes that a body grows by at most where it is changed before it is whole. */
export const OPTION_BYTES = option.length;

/** For a body that is here whole. `undefined` where nothing is to be asked: no stream, the client asks itself, or this is no request for a chat. */
export function askForUsage(body: Buffer, shape: JsonShape): BodyChange | undefined {
  const end = shape.closedAt();
  if (end === undefined || shape.member('stream')?.literal !== 'true') return undefined;
  const given = shape.member('stream_options');
  if (given === undefined) return { start: end, end, bytes: option };
  const value = parse(body.toString('utf8', given.start, given.end));
  // What is neither an object nor null is the provider's to refuse.
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  if (value !== null && 'include_usage' in value && value.include_usage === true) return undefined;
  const bytes = value === null ? ASKED : JSON.stringify({ ...value, include_usage: true });
  return { start: given.start, end: given.end, bytes: Buffer.from(bytes) };
}

/**
 * For a body that is sent on while it arrives, with `OPTION_BYTES` more than the client announced: where it closes, the question or as many
 * blanks. Called when that place has passed, or nothing more comes.
 * @param length of the body so far, for one that never closes
 */
export function fillReserve(shape: JsonShape, length: number): BodyChange & { readonly asks: boolean } {
  const asks = shape.member('stream')?.literal === 'true' && shape.member('stream_options') === undefined;
  const at = shape.closedAt();
  if (at !== undefined && asks) return { start: at, end: at, bytes: option, asks };
  return { start: at ?? length, end: at ?? length, bytes: Buffer.alloc(OPTION_BYTES, ' '), asks: false };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
