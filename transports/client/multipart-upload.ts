/** A `multipart/form-data` body (RFC 7578) that is read from its source while it is sent; its length is known beforehand. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';

export interface MultipartUpload {
  readonly contentType: string;
  readonly lengthBytes: number;
  /** Opens the source anew with every call, so that a refused upload can be repeated. */
  open(): AsyncIterable<Uint8Array>;
}

/** `fields` come first: a gateway routes by `model` before the audio has arrived. `source` is a path or the bytes themselves. */
export async function createMultipartUpload(
  fields: Readonly<Record<string, string>>,
  source: string | Uint8Array,
  fileName?: string,
): Promise<MultipartUpload> {
  const boundary = `vello-${randomBytes(16).toString('hex')}`;
  const name = fileName ?? (typeof source === 'string' ? basename(source) : 'audio');
  const head = Buffer.from(
    [
      ...Object.entries(fields).map(([key, value]) => part(boundary, `name="${quoted(key)}"`, value)),
      part(boundary, `name="file"; filename="${quoted(name)}"`, '', 'application/octet-stream').slice(0, -2),
    ].join(''),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const sourceBytes = typeof source === 'string' ? (await stat(source)).size : source.byteLength;
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    lengthBytes: head.length + sourceBytes + tail.length,
    open: async function* () {
      yield head;
      // `end` keeps the announced length true for a file that still grows.
      if (typeof source !== 'string') yield source;
      else if (sourceBytes > 0) yield* createReadStream(source, { end: sourceBytes - 1 });
      yield tail;
    },
  };
}

function part(boundary: string, disposition: string, value: string, type?: string): string {
  const contentType = type === undefined ? '' : `Content-Type: ${type}\r\n`;
  return `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n${contentType}\r\n${value}\r\n`;
}

/** As browsers escape names (WHATWG HTML §4.10.21.8). */
function quoted(name: string): string {
  return name.replace(/"/g, '%22').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}
