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

/** What a head does not say about its request, and its route does. */
interface RequestOrigin {
  /** How many parameters the route's pattern has. */
  readonly parameters: number;
  /** Whether the last entry of `X-Forwarded-For` is the caller: only behind a proxy that sets it. */
  readonly trustProxy: boolean;
}

interface Connection {
  remoteAddress(): string;
}

/** Given more than once, these make one request mean two things. */
const ONLY_ONCE = new Set(['authorization', 'content-length', 'content-type', 'host', 'transfer-encoding']);
const NONE: readonly string[] = [];

export class RequestHead {
  /** As it was sent: methods are told apart by case (RFC 9110 §9.1). */
  readonly method: string;
  readonly path: string;
  readonly framing: Framing;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #query: string;
  readonly #parameters: readonly string[];
  readonly #forwardedFor: SourceAddress | undefined;
  readonly #connection: Connection;

  /**
   * Only within the callback that gives `request`.
   * @throws VelloError `BAD_REQUEST` for an ambiguous or malformed head, or a caller whom the proxy does not name
   */
  constructor(request: Raw, { parameters, trustProxy }: RequestOrigin, connection: Connection) {
    const headers = readHeaders(request);
    this.#headers = headers;
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    // The native function gives undefined for no query at all, whatever its declaration says.
    const query = request.getQuery() as string | undefined;
    this.#query = query ?? '';
    this.#parameters =
      parameters === 0 ? NONE : Array.from({ length: parameters }, (_, at) => request.getParameter(at) ?? '');
    const forwardedFor = trustProxy ? headers.get('x-forwarded-for') : undefined;
    this.#forwardedFor = forwardedFor === undefined ? undefined : sourceAddress(forwardedFor.split(',').at(-1) ?? '');
    this.#connection = connection;
    this.framing = readFraming(headers.get('content-length'), headers.get('transfer-encoding'));
  }

  /** Path and query as in the request line: what a caller signs. */
  get target(): string {
    return this.#query === '' ? this.path : `${this.path}?${this.#query}`;
  }

  get hasQuery(): boolean {
    return this.#query !== '';
  }

  /** Read anew with each call: most requests have none, and of the others it is asked once. */
  get query(): URLSearchParams {
    return new URLSearchParams(this.#query);
  }

  /** The header's value by its name in lower case, that of several lines as the list which they are (RFC 9110 §5.3); the empty string when it is absent. */
  header(name: string): string {
    return this.#headers.get(name) ?? '';
  }

  /** The n-th parameter of the route's pattern, as it stands in the path. */
  parameter(index: number): string {
    return this.#parameters[index] ?? '';
  }

  /** Who sent it. To be asked before the answer is over, and seldom: it costs a call into native code. */
  remoteAddress(): SourceAddress {
    return this.#forwardedFor ?? sourceAddress(this.#connection.remoteAddress());
  }
}

function readHeaders(request: Raw): Map<string, string> {
  const headers = new Map<string, string>();
  let repeated = NONE;
  request.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
    if (before !== undefined && ONLY_ONCE.has(name) && !repeated.includes(name)) repeated = [...repeated, name];
  });
  if (repeated !== NONE) throw new VelloError('BAD_REQUEST', `Given more than once: ${repeated.join(', ')}.`);
  if (!headers.has('host')) throw new VelloError('BAD_REQUEST', 'The Host header is missing.');
  return headers;
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
