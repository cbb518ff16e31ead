/**
 * The head of a request, copied because uWebSockets.js takes its own back when the callback returns, and judged before anything acts on
 * it: framing that two readers could read differently (RFC 9112 §6.1, §6.3), a host that is absent or ambiguous (§3.2). How large a head may be is the build's to say (`scripts/vello.mjs`).
 */
import type { HttpRequest as Raw } from '#uws';
import { sourceAddress, type SourceAddress } from '../../../actors/bounds/source-address.ts';
import { VelloError } from '../../../config/errors.ts';

export interface Framing {
  /** Bytes announced by `Content-Length`; `undefined` for a chunked or absent body. */
  readonly contentLength: number | undefined;
  readonly chunked: boolean;
}

export interface RequestHead {
  /** In upper case. */
  readonly method: string;
  readonly path: string;
  /** Path and query as in the request line: what a caller signs. */
  readonly target: string;
  readonly query: URLSearchParams;
  readonly framing: Framing;
  /** The header's value by its name in any case; the empty string when it is absent. */
  readonly header: (name: string) => string;
  /** The n-th parameter of the route's pattern, as it stands in the path. */
  parameter(index: number): string;
  /** Who sent it. To be asked before the answer is over, and seldom: it costs a call into native code. */
  readonly remoteAddress: () => SourceAddress;
}

/** What a head does not say about its request. */
export interface RequestOrigin {
  /** How many parameters the route's pattern has. */
  readonly parameters: number;
  /** Whether the last entry of `X-Forwarded-For` is the caller: only behind a proxy that sets it. */
  readonly trustProxy: boolean;
  /** Address of the connection. */
  readonly peerAddress: () => string;
}

/** Given more than once, these make one request mean two things. */
const ONLY_ONCE = new Set(['authorization', 'content-length', 'content-type', 'host', 'transfer-encoding']);

/** @throws VelloError `BAD_REQUEST` for an ambiguous or malformed head, or a caller whom the proxy does not name */
export function readRequestHead(request: Raw, { parameters, trustProxy, peerAddress }: RequestOrigin): RequestHead {
  const headers = new Map<string, string>();
  const repeated = new Set<string>();
  request.forEach((name, value) => {
    if (headers.has(name) && ONLY_ONCE.has(name)) repeated.add(name);
    headers.set(name, value);
  });
  if (repeated.size > 0) throw new VelloError('BAD_REQUEST', `Given more than once: ${[...repeated].join(', ')}.`);
  if (!headers.has('host')) throw new VelloError('BAD_REQUEST', 'The Host header is missing.');
  const path = request.getUrl();
  // The native function gives undefined for no query at all, whatever its declaration says.
  const query = (request.getQuery() as string | undefined) ?? '';
  const forwardedFor = trustProxy ? headers.get('x-forwarded-for') : undefined;
  const caller = forwardedFor === undefined ? undefined : sourceAddress(forwardedFor.split(',').at(-1) ?? '');
  const captured = Array.from({ length: parameters }, (_, index) => request.getParameter(index));
  return {
    method: request.getMethod().toUpperCase(),
    path,
    target: query === '' ? path : `${path}?${query}`,
    query: new URLSearchParams(query),
    framing: readFraming(headers.get('content-length'), headers.get('transfer-encoding')),
    header: (name) => headers.get(name.toLowerCase()) ?? '',
    parameter: (index) => captured[index] ?? '',
    remoteAddress: () => caller ?? sourceAddress(peerAddress()),
  };
}

function readFraming(length: string | undefined, coding: string | undefined): Framing {
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || length !== undefined)) {
    throw new VelloError('BAD_REQUEST', 'Transfer-Encoding must be exactly "chunked", without Content-Length.');
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new VelloError('BAD_REQUEST', 'Content-Length must be given once, in digits.');
  }
  return { contentLength: length === undefined ? undefined : Number(length), chunked: coding !== undefined };
}
