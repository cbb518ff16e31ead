/** Lets a reader of a binary format be written as if the file lay there whole, while its bytes pass by in pieces of any size. */

/** What a reader wants next: bytes to look at, bytes to step over, or everything up to and with a byte of this value. */
export type ByteRequest = { readonly take: number } | { readonly skip: number } | { readonly find: number };

/** Is given what it asked to take; it may keep none of it beyond its next request. */
export type ByteProgram<T = void> = Generator<ByteRequest, T, Uint8Array>;

/** A part of a program that only takes: it reads as well from bytes that lie there whole. */
export type ByteReader<T> = Generator<{ readonly take: number }, T, Uint8Array>;

export interface ByteFeeder {
  push(chunk: Uint8Array): void;
}

/** No format looks at more in one go; a larger request is a broken file. */
const MOST_TAKEN = 4_096;
const nothing = new Uint8Array(0);

/** Runs `program` over the bytes pushed, and holds no more than what it asked to take. */
export function feedBytes(program: ByteProgram): ByteFeeder {
  const held = Buffer.alloc(MOST_TAKEN);
  let heldBytes = 0;
  let skipped = 0;
  let request = program.next(nothing);

  /** How many of the bytes from `at` on the request uses up; the program goes on when it has them all. */
  const serve = (wanted: ByteRequest, chunk: Uint8Array, at: number): number => {
    if ('find' in wanted) {
      const found = chunk.indexOf(wanted.find, at);
      if (found === -1) return chunk.length - at;
      request = program.next(nothing);
      return found + 1 - at;
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
  return !('find' in request) && ('skip' in request ? request.skip : request.take) <= 0;
}

/** What `reader` reads from index `at` on, and the index behind it; undefined where the bytes end before. */
export function readAt<T>(bytes: Uint8Array, at: number, reader: ByteReader<T>) {
  let end = at;
  let step = reader.next(nothing);
  while (step.done !== true) {
    end += step.value.take;
    if (end > bytes.length) return undefined;
    step = reader.next(bytes.subarray(end - step.value.take, end));
  }
  return { value: step.value, end };
}

/** Numbers of a piece that a program was given. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
