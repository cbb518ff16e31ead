/** Reads what a client got as one answer, strictly by its framing (RFC 9112 §6), and says whether it could take it for complete. */

export interface SeenAnswer {
  readonly status: number;
  /** Of the interim answers before it. */
  readonly interim: readonly number[];
  /** Status line and headers. */
  readonly head: string;
  readonly body: Buffer;
  /** `whole`: it ended as it said; `cut`: the connection ended before; `open`: more must come; `garbled`: no client could read it. */
  readonly end: 'whole' | 'cut' | 'open' | 'garbled';
  /** What came behind it. */
  readonly rest: Buffer;
  values(name: string): readonly string[];
}

interface Body {
  readonly body: Buffer;
  readonly end: SeenAnswer['end'];
  /** Where it ends. */
  readonly at: number;
}

/** Returns undefined where not even its head is there. `isHead`: the answer to HEAD. */
export function readAnswer(bytes: Buffer, isOver: boolean, isHead = false): SeenAnswer | undefined {
  const interim: number[] = [];
  let from = 0;
  for (;;) {
    const headEnd = bytes.indexOf('\r\n\r\n', from);
    if (headEnd === -1) return undefined;
    const head = bytes.toString('latin1', from, headEnd);
    const status = Number(/^HTTP\/1\.[01] (\d{3})( |$)/m.exec(head)?.[1] ?? 0);
    from = headEnd + 4;
    if (status >= 100 && status < 200) {
      interim.push(status);
      continue;
    }
    const values = (name: string) => valuesOf(head, name);
    const rest = bytes.subarray(from);
    const read =
      status === 0 ? { ...EMPTY, end: 'garbled' as const } : readBody(rest, { status, isHead, isOver, values });
    return { status, interim, head, values, body: read.body, end: read.end, rest: rest.subarray(read.at) };
  }
}

const EMPTY: Body = { body: Buffer.alloc(0), end: 'whole', at: 0 };

interface Framed {
  readonly status: number;
  readonly isHead: boolean;
  readonly isOver: boolean;
  readonly values: (name: string) => readonly string[];
}

function readBody(rest: Buffer, { status, isHead, isOver, values }: Framed): Body {
  if (isHead || status === 204 || status === 304) return EMPTY;
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  const missing = isOver ? 'cut' : 'open';
  if (codings.length > 0) {
    if (codings.join() !== 'chunked' || lengths.length > 0) return { ...EMPTY, end: 'garbled' };
    return readChunks(rest, missing);
  }
  if (lengths.length === 0) return { body: rest, end: isOver ? 'whole' : 'open', at: rest.length };
  if (lengths.length > 1 || !/^\d+$/.test(lengths[0] ?? '')) return { ...EMPTY, end: 'garbled' };
  const length = Number(lengths[0]);
  const body = rest.subarray(0, length);
  return { body, end: body.length === length ? 'whole' : missing, at: body.length };
}

function readChunks(rest: Buffer, missing: 'cut' | 'open'): Body {
  const parts: Buffer[] = [];
  const so = (end: SeenAnswer['end'], at: number): Body => ({ body: Buffer.concat(parts), end, at });
  for (let at = 0; ;) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd === -1) return so(missing, at);
    const size = /^[\da-f]+/i.exec(rest.toString('latin1', at, lineEnd))?.[0];
    if (size === undefined) return so('garbled', at);
    const bytes = Number.parseInt(size, 16);
    const start = lineEnd + 2;
    if (bytes === 0) {
      const isBare = rest.toString('latin1', start, start + 2) === '\r\n';
      const end = isBare ? start + 2 : rest.indexOf('\r\n\r\n', start) + 4;
      return end < start ? so(missing, at) : so('whole', end);
    }
    parts.push(rest.subarray(start, start + bytes));
    if (rest.length < start + bytes + 2) return so(missing, rest.length);
    at = start + bytes + 2;
  }
}

const valuesOf = (head: string, name: string): readonly string[] =>
  [...head.matchAll(new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r?$`, 'gim'))].map(([, value = '']) => value);
