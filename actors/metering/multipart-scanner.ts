/**
 * Finds the parts of a multipart/form-data body (RFC 7578, RFC 2046 §5.1.1) while its bytes pass by in pieces of any size, and
 * keeps nothing but a possible half of a boundary. Takes one way to write a form only: what another reader may cut differently is refused.
 */
import { VelloError } from '../../config/errors.ts';

export interface PartListener {
  /** A part begins; `name` is that of its Content-Disposition. */
  begin(name: string): void;
  /** The part's next bytes. Valid during the call only. */
  data(bytes: Uint8Array): void;
  /** The part is complete. Not called for one that the body's end cuts short. */
  end(): void;
}

export interface MultipartScanner {
  /** @throws VelloError `BAD_REQUEST` at the first byte that makes the form ambiguous. */
  push(chunk: Uint8Array): void;
  /** The body is over. @throws VelloError `BAD_REQUEST` where its last boundary is missing. */
  end(): void;
}

/** More than any honest part needs; without a bound a hostile header would be collected for ever. */
const PART_HEADER_BYTES = 8 * 1024;

/** As much as a boundary and a common header have. */
const JOINED_BYTES = 512;
const NOTHING: Buffer = Buffer.alloc(0);

type State = 'boundary' | 'boundary-line' | 'part-header' | 'part-body' | 'over';

/**
 * The boundary parameter of a `Content-Type` value; `undefined` when it is no multipart/form-data or names none.
 * @throws VelloError `BAD_REQUEST` where readers could find different ones.
 */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return undefined;
  const parameters = contentType.slice(contentType.indexOf(';'));
  const found: string[] = [];
  let rest = parameters.trim();
  while (rest !== '' && rest.startsWith(';')) {
    const match = /^;\s*(?:([!#$%&'*+.^_`|~\w-]+)=(?:"([^"\\\r\n]*)"|([^\s;"]*)))?\s*/.exec(rest);
    if (match === null) break;
    rest = rest.slice(match[0].length);
    // An extended parameter (RFC 8187) is read by some instead, by others not at all: its value may stand for nothing.
    if (/^boundary\*/i.test(match[1] ?? '')) found.push('');
    else if (/^boundary$/i.test(match[1] ?? '')) found.push(match[2] ?? match[3] ?? '');
  }
  if (found.length === 0 && rest === '') return undefined;
  const [boundary = ''] = found;
  if (rest !== '' || found.length > 1 || boundary.length < 1 || boundary.length > 70) {
    throw ambiguous('The Content-Type must name one boundary of 1 to 70 characters.');
  }
  return boundary;
}

export function createMultipartScanner(boundary: string, listener: PartListener): MultipartScanner {
  const dashed = Buffer.from(`\n--${boundary}`, 'latin1');
  let state: State = 'boundary';
  let isFresh = false;
  // The first boundary stands at the very start, without the line break that belongs to the others.
  let held: Buffer = Buffer.from('\r\n', 'latin1');

  /** Consumes what it can of `bytes` and returns how much; 0 without a change of state means that more is needed. */
  const step = (bytes: Buffer): number => {
    switch (state) {
      case 'boundary': {
        if (bytes.length < dashed.length + 1) return 0;
        // A second line break is what some clients begin with; other text is where a decoy would stand.
        if (bytes.subarray(2, 4).equals(lineBreak)) return 2;
        if (bytes.indexOf(dashed) !== 1) throw ambiguous('The form must begin with its boundary.');
        state = 'boundary-line';
        return dashed.length + 1;
      }
      case 'part-body': {
        if (isFresh) {
          if (bytes.length < dashed.length) return 0;
          isFresh = false;
          if (bytes.subarray(0, dashed.length - 1).equals(dashed.subarray(1)))
            throw ambiguous('A boundary of the form stands at no line.');
        }
        const found = bytes.indexOf(dashed);
        if (found === -1) {
          // One more byte is kept: the carriage return before what may become a boundary.
          const clear = Math.max(0, bytes.length - dashed.length);
          if (clear > 0) listener.data(bytes.subarray(0, clear));
          return clear;
        }
        if (bytes[found - 1] !== CR) throw ambiguous('A boundary of the form stands behind a bare line feed.');
        if (found > 1) listener.data(bytes.subarray(0, found - 1));
        listener.end();
        state = 'boundary-line';
        return found + dashed.length;
      }
      case 'boundary-line':
        if (bytes.length < 2) return 0;
        if (bytes[0] === DASH && bytes[1] === DASH) {
          state = 'over';
          return 2;
        }
        if (!bytes.subarray(0, 2).equals(lineBreak)) throw ambiguous('A line of the form is almost its boundary.');
        state = 'part-header';
        // The line break stays, so that a part without headers ends the same way.
        return 0;
      case 'part-header': {
        const headerEnd = bytes.indexOf('\r\n\r\n', 0, 'latin1');
        if ((headerEnd === -1 ? bytes.length : headerEnd) > PART_HEADER_BYTES) {
          throw ambiguous("A part's headers are too long.");
        }
        if (headerEnd === -1) return 0;
        const name = partName(bytes.toString('utf8', 2, headerEnd));
        state = 'part-body';
        isFresh = true;
        listener.begin(name);
        return headerEnd + 4;
      }
      case 'over':
        if (bytes.length > 0 && !lineBreak.subarray(0, bytes.length).equals(bytes)) {
          throw ambiguous('Something follows the end of the form.');
        }
        return 0;
    }
  };

  /** Consumes what it can, and returns how much. */
  const consume = (bytes: Buffer): number => {
    let at = 0;
    for (;;) {
      const before = state;
      const consumed = step(bytes.subarray(at));
      at += consumed;
      if (consumed === 0 && state === before) return at;
    }
  };

  /** What is held is consumed together with no more of `incoming` than it takes: the rest need not be copied. Returns how much that was. */
  const consumeHeld = (incoming: Buffer): number => {
    for (let joined = JOINED_BYTES; held.length > 0; joined *= 2) {
      const bytes = Buffer.concat([held, incoming.subarray(0, joined)]);
      const consumed = consume(bytes);
      if (consumed >= held.length) {
        const taken = consumed - held.length;
        held = NOTHING;
        return taken;
      }
      held = bytes.subarray(consumed);
      if (joined >= incoming.length) return incoming.length;
      held = held.subarray(0, -joined);
    }
    return 0;
  };

  return {
    push: (chunk) => {
      const incoming = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const from = consumeHeld(incoming);
      if (from === incoming.length) return;
      const rest = incoming.subarray(from);
      // Copied: the chunk's memory belongs to the caller.
      held = Buffer.from(rest.subarray(consume(rest)));
    },
    end: () => {
      if (state !== 'over') throw ambiguous('The form breaks off before its last boundary.');
    },
  };
}

/** @throws VelloError where a reader could find another name, or other bytes behind it. */
function partName(header: string): string {
  if (/\r(?!\n)|(?<!\r)\n|\0/.test(header)) throw ambiguous("A part's headers have bare line breaks.");
  let name: string | undefined;
  for (const line of header.split('\r\n')) {
    if (line === '') continue;
    const [, field, value] = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/.exec(line) ?? [];
    if (field === undefined || value === undefined) throw ambiguous("A line of a part's headers is none.");
    if (/^content-transfer-encoding$/i.test(field) && !/^\s*(binary|8bit|7bit)\s*$/i.test(value)) {
      throw ambiguous('The parts of the form must not be encoded.');
    }
    if (!/^content-disposition$/i.test(field)) continue;
    if (name !== undefined) throw ambiguous('A part has two names.');
    name = dispositionName(value);
  }
  return name ?? '';
}

/** Browsers write quotes as %22, other clients as \", in file names; a name that needs either is none that a provider knows. */
function dispositionName(value: string): string {
  // No two repetitions of blanks stand side by side in it: they would be tried in every division.
  const parameters = /^form-data((?:\s*;\s*[\w*-]+=(?:"(?:[^"\\]|\\.)*"|[^\s;"]*))*)(?:\s*;)?$/i.exec(
    value.trim(),
  )?.[1];
  if (parameters === undefined) throw ambiguous('A Content-Disposition cannot be read.');
  const names = [...parameters.matchAll(/;\s*([\w*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g)]
    .filter(([, key = '']) => /^name\*?/i.test(key))
    .map(([, key = '', quoted, bare = '']) => ({ key, name: quoted ?? bare }));
  const [first] = names;
  if (first === undefined) return '';
  if (names.length > 1 || first.key !== 'name' || first.name.includes('\\')) throw ambiguous('A part has two names.');
  return first.name;
}

function ambiguous(message: string): VelloError {
  return new VelloError('BAD_REQUEST', message);
}

const CR = 0x0d;
const DASH = 0x2d;
const lineBreak = Buffer.from('\r\n', 'latin1');
