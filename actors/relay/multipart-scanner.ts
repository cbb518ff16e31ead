/**
 * Finds the parts of a multipart/form-data body (RFC 7578, RFC 2046 §5.1.1) while its bytes pass by in pieces of any size.
 * Reports what it sees and keeps nothing but a possible half of a boundary; a body it cannot follow is still relayed.
 */

export interface PartListener {
  /** A part begins; `name` is that of its Content-Disposition. */
  begin(name: string): void;
  /** The part's next bytes. Valid during the call only. */
  data(bytes: Uint8Array): void;
  /** The part is complete. Not called for one that the body's end cuts short. */
  end(): void;
}

export interface MultipartScanner {
  push(chunk: Uint8Array): void;
}

/** More than any honest part needs; without a bound a hostile header would be collected for ever. */
const partHeaderBytes = 8 * 1024;

type State = 'preamble' | 'boundary-line' | 'part-header' | 'part-body' | 'over';

/** The boundary parameter of a `Content-Type` value; `undefined` when it is no multipart/form-data or names none. */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

export function createMultipartScanner(boundary: string, listener: PartListener): MultipartScanner {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  let state: State = 'preamble';
  // The first boundary may stand at the very start, without the line break that belongs to the others.
  let held: Buffer = Buffer.from('\r\n', 'latin1');

  /** Consumes what it can of `bytes` and returns how much; 0 without a change of state means that more is needed. */
  const step = (bytes: Buffer): number => {
    switch (state) {
      case 'preamble':
      case 'part-body': {
        const found = bytes.indexOf(delimiter);
        const clear = found === -1 ? bytes.length - partialMatch(bytes, delimiter) : found;
        if (state === 'part-body' && clear > 0) listener.data(bytes.subarray(0, clear));
        if (found === -1) return clear;
        if (state === 'part-body') listener.end();
        state = 'boundary-line';
        return found + delimiter.length;
      }
      case 'boundary-line': {
        if (bytes.length < 2) return 0;
        if (bytes[0] === 0x2d && bytes[1] === 0x2d) return finish(bytes);
        const lineEnd = bytes.indexOf('\r\n', 0, 'latin1');
        if (lineEnd === -1) return bytes.length > partHeaderBytes ? finish(bytes) : 0;
        state = 'part-header';
        return lineEnd;
      }
      case 'part-header': {
        // Begins with the line break that ended the boundary, so that a part without headers ends the same way.
        const headerEnd = bytes.indexOf('\r\n\r\n', 0, 'latin1');
        if (headerEnd === -1) return bytes.length > partHeaderBytes ? finish(bytes) : 0;
        listener.begin(partName(bytes.toString('utf8', 0, headerEnd)));
        state = 'part-body';
        return headerEnd + 4;
      }
      case 'over':
        return bytes.length;
    }
  };

  const finish = (bytes: Buffer): number => {
    state = 'over';
    return bytes.length;
  };

  return {
    push: (chunk) => {
      if (isOver(state)) return;
      const incoming = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      let rest = held.length === 0 ? incoming : Buffer.concat([held, incoming]);
      while (rest.length > 0) {
        const before = state;
        const consumed = step(rest);
        if (consumed === 0 && state === before) break;
        rest = rest.subarray(consumed);
      }
      // Copied: the chunk's memory belongs to the caller.
      held = isOver(state) ? Buffer.alloc(0) : Buffer.from(rest);
    },
  };
}

function isOver(state: State): boolean {
  return state === 'over';
}

/** Length of the longest end of `bytes` that may be the beginning of `delimiter`. */
function partialMatch(bytes: Buffer, delimiter: Buffer): number {
  const longest = Math.min(bytes.length, delimiter.length - 1);
  let from = bytes.indexOf(0x0d, bytes.length - longest);
  while (from !== -1) {
    const length = bytes.length - from;
    if (bytes.compare(delimiter, 0, length, from) === 0) return length;
    from = bytes.indexOf(0x0d, from + 1);
  }
  return 0;
}

function partName(header: string): string {
  const disposition = /^content-disposition:(.*)$/im.exec(header)?.[1] ?? '';
  const match = /;\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition);
  return match?.[1] ?? match?.[2] ?? '';
}
