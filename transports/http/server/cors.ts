/** Which web pages may read a listener's answers: the CORS protocol (Fetch standard, §3.3). Nobody is let in by it: every request proves itself as before. */
import { REQUEST_ID_HEADER, type Headers } from './write-reply.ts';

export interface Cors {
  /** What every answer says to a request with this `Origin`, which is empty where no page sent it. */
  headersFor(origin: string): Headers;
}

/** Found again by support, kept for later requests, and obeyed: what a page's own code must be able to read. */
const EXPOSED = `${REQUEST_ID_HEADER}, X-Session-Id, X-Vello-Prompt, Retry-After`;
/** As long as browsers keep an answer at most. */
const PREFLIGHT_SECONDS = '7200';
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*$/;

/** @param origins as in `Origin`, or `*` for every page there is */
export function createCors(origins: ReadonlySet<string>): Cors {
  if (origins.has('*')) {
    const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': EXPOSED };
    return { headersFor: () => headers };
  }
  // A cache must not give one page the answer that was for another.
  const vary = { Vary: 'Origin' };
  return {
    headersFor: (origin) =>
      origins.has(origin)
        ? { ...vary, 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED }
        : vary,
  };
}

/**
 * What a preflight is told beside that. Which headers a page sends is of no account, since we read those that we know: clients made for
 * OpenAI send a dozen of their own.
 */
export function preflightHeaders(methods: string, requestedHeaders: string): Headers {
  return {
    'Access-Control-Allow-Methods': methods,
    ...(HEADER_NAMES.test(requestedHeaders) ? { 'Access-Control-Allow-Headers': requestedHeaders } : {}),
    'Access-Control-Max-Age': PREFLIGHT_SECONDS,
  };
}
