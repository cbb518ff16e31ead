/** Lets a reader of a binary format be written as if the file lay there whole, while its bytes pass by in pieces of any size. */

/** What a reader wants next: bytes to look at, bytes to step over, everything up to and with these bytes, or to look for itself. */
export type ByteRequest =
  { readonly take: number } | { readonly skip: number } | { readonly find: Uint8Array } | ByteScan;

/** Looks at all that is there to the file's end, in plain steps: a request for each of a million small things takes seconds. */
export interface ByteScan {
  /** How many of the bytes are done with, which may be more than there are. The others are shown again, with those behind them. */
  readonly scan: (bytes: Uint8Array) => number;
  /** Bytes that were taken already, to be looked at first. */
  readonly seen?: Uint8Array;
}

/** Is given what it asked to take; it may keep none of it beyond its next request. */
export type ByteProgram<T = void> = Generator<ByteRequest, T, Uint8Array>;

export interface ByteFeeder {
  push(chunk: Uint8Array): void;
}

/** No format looks at more in one go; a larger request is a broken file. */
const MOST_TAKEN = 4_096;
const nothing = new Uint8Array(0);

/** Runs `program` over the bytes pushed, and holds no more than what it asked to take or has yet to look at. */
export function feedBytes(program: ByteProgram): ByteFeeder {
  const held = Buffer.alloc(MOST_TAKEN);
  let heldBytes = 0;
  let skipped = 0;
  let begun: ByteScan | undefined;
  let request = program.next(nothing);

  const hold = (bytes: Uint8Array): void => {
    held.set(bytes);
    heldBytes = bytes.length;
  };
  const joined = (chunk: Uint8Array, at: number): Buffer =>
    heldBytes > 0 ? Buffer.concat([held.subarray(0, heldBytes), chunk.subarray(at)]) : bufferOf(chunk.subarray(at));

  /** How many of the bytes from `at` on the request uses up; the program goes on when it has them all. */
  const serve = (wanted: ByteRequest, chunk: Uint8Array, at: number): number => {
    if ('find' in wanted) {
      const piece = joined(chunk, at);
      const found = piece.indexOf(wanted.find);
      if (found === -1) {
        hold(piece.subarray(Math.max(0, piece.length - wanted.find.length + 1)));
        return chunk.length - at;
      }
      const used = chunk.length - at - (piece.length - found - wanted.find.length);
      heldBytes = 0;
      request = program.next(nothing);
      return used;
    }
    if ('scan' in wanted) {
      const stepped = Math.min(skipped, chunk.length - at);
      skipped -= stepped;
      if (skipped > 0 || stepped > 0) return stepped;
      if (wanted !== begun && wanted.seen !== undefined) hold(wanted.seen);
      begun = wanted;
      const piece = joined(chunk, at);
      const used = wanted.scan(piece);
      skipped = Math.max(0, used - piece.length);
      if (piece.length - used > MOST_TAKEN) request = program.return(undefined);
      else hold(piece.subarray(Math.min(used, piece.length)));
      return chunk.length - at;
    }
    if ('skip' in wanted) {
      const used = Math.max(0, Math.min(wanted.skip - skipped, chunk.length - at));
      skipped += used;
      if (skipped < wanted.skip) return used;
      skipped = 0;
      request = program.next(nothing);
      return used;
    }
    if (wanted.take > MOST_TAKEN) {
      request = program.return(undefined);
      return 0;
    }
    if (heldBytes === 0 && wanted.take <= chunk.length - at) {
      request = program.next(chunk.subarray(at, at + wanted.take));
      return wanted.take;
    }
    const used = Math.min(wanted.take - heldBytes, chunk.length - at);
    held.set(chunk.subarray(at, at + used), heldBytes);
    heldBytes += used;
    if (heldBytes < wanted.take) return used;
    heldBytes = 0;
    request = program.next(held.subarray(0, wanted.take));
    return used;
  };

  return {
    push: (chunk) => {
      let at = 0;
      // What asks for nothing is served also where nothing is left: the last packet of a file ends there.
      while (request.done !== true && (at < chunk.length || asksForNothing(request.value))) {
        at += serve(request.value, chunk, at);
      }
    },
  };
}

function asksForNothing(request: ByteRequest): boolean {
  return ('skip' in request && request.skip <= 0) || ('take' in request && request.take <= 0);
}

/** A piece as a buffer; no copy of it. */
export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** Numbers of a piece that a program was given. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
