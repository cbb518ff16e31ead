/** Reads a complete multipart/form-data body (RFC 7578, RFC 2046 §5.1.1) into its parts. Bodies that pass through are not its business. */
import { VelloError } from '../../../config/errors.ts';

export interface FormPart {
  readonly name: string;
  /** Present where the part is a file. */
  readonly filename: string | undefined;
  /** A view into the body. */
  readonly content: Buffer;
}

const MOST_PARTS = 64;
const MOST_HEADER_BYTES = 8192;
const dashes = Buffer.from('--');
const lineEnd = Buffer.from('\r\n');

/**
 * The parts in order.
 * @throws VelloError `UNSUPPORTED_MEDIA_TYPE` for another content type, `BAD_REQUEST` for a malformed or unfinished body
 */
export function parseMultipart(body: Buffer, contentType: string): FormPart[] {
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`);
  const parts: FormPart[] = [];
  let at = findDelimiter(body, delimiter, 0);
  for (;;) {
    at += delimiter.length;
    if (body.subarray(at, at + 2).equals(dashes)) return parts;
    if (parts.length === MOST_PARTS) throw malformed(`it has more than ${MOST_PARTS} parts`);
    // Transport padding may stand between the delimiter and its line end.
    const headers = body.indexOf(lineEnd, at) + lineEnd.length;
    if (headers < lineEnd.length || body.toString('latin1', at, headers).trim() !== '') {
      throw malformed('a delimiter is not followed by a line end');
    }
    const content = contentAfter(body, headers);
    at = findDelimiter(body, delimiter, content);
    parts.push({ ...describe(body.toString('utf8', headers, content)), content: body.subarray(content, at - 2) });
  }
}

function boundaryOf(contentType: string): string {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new VelloError('UNSUPPORTED_MEDIA_TYPE', 'The body must be multipart/form-data.');
  }
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined || boundary.length > 200) throw malformed('the content type names no boundary');
  return boundary;
}

/** A delimiter stands at the very start of the body, or at the start of a later line. */
function findDelimiter(body: Buffer, delimiter: Buffer, from: number): number {
  for (let at = body.indexOf(delimiter, from); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (at === 0 || (at >= from + 2 && body[at - 2] === 0x0d && body[at - 1] === 0x0a)) return at;
  }
  throw malformed('it ends before its closing delimiter');
}

function contentAfter(body: Buffer, headers: number): number {
  const end = body.indexOf('\r\n\r\n', headers);
  if (end < 0 || end - headers > MOST_HEADER_BYTES) throw malformed('the headers of a part do not end');
  return end + 4;
}

function describe(headers: string): { readonly name: string; readonly filename: string | undefined } {
  const disposition = /^content-disposition:\s*form-data\s*;(.*)$/im.exec(headers)?.[1];
  if (disposition === undefined) throw malformed('a part has no Content-Disposition');
  const name = parameter(disposition, 'name');
  if (name === undefined) throw malformed('a part has no name');
  return { name, filename: parameter(disposition, 'filename') ?? parameter(disposition, 'filename\\*') };
}

function parameter(disposition: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|;)\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]*))`, 'i').exec(disposition);
  // Browsers write a quotation mark as %22, others escape it with a backslash.
  return match?.[1]?.replace(/\\(.)/g, '$1').replace(/%22/g, '"') ?? match?.[2];
}

const malformed = (why: string): VelloError =>
  new VelloError('BAD_REQUEST', `The multipart body is malformed: ${why}.`);
