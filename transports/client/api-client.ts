/** One JSON call to the api: errors become `ClientError`, every call has a deadline, and nothing is retried here. */
import type { Clock } from '../../actors/ports/clock.ts';
import { errorFromAnswer, foreignAnswer, isFromServer, localError } from './client-error.ts';

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: object;
  /** Bootstrap or access token. */
  readonly bearer?: string;
}

export interface ApiAnswer {
  readonly status: number;
  /** Decoded JSON; its caller knows the route and so its shape. */
  readonly body: unknown;
  /** Our wall clock when the request was sent. */
  readonly sentAtMs: number;
}

/** Resolves with the decoded answer. @throws ClientError with the server's code, or `NETWORK`, `TIMEOUT`, `CLOSED`. */
export type CallApi = (call: ApiCall) => Promise<ApiAnswer>;

export interface ApiClientOptions {
  readonly url: string;
  readonly clock: Clock;
  /** Ends every call under way. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export function createApiClient(options: ApiClientOptions): CallApi {
  const { url, clock, signal, timeoutMs } = options;
  return async ({ method, path, body, bearer }: ApiCall) => {
    const sentAtMs = clock.now();
    const deadline = new AbortController();
    const timer = clock.setTimer(timeoutMs, () => deadline.abort());
    try {
      const response = await fetch(url + path, {
        method,
        headers: {
          Accept: 'application/json',
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, deadline.signal]),
        // A redirect would carry the token to an address that nobody chose.
        redirect: 'error',
      });
      const text = await response.text();
      const header = (name: string) => response.headers.get(name);
      if (!response.ok) throw errorFromAnswer(response.status, header, text);
      if (!isFromServer(header)) throw foreignAnswer(response.status);
      return { status: response.status, body: decode(text, response.status), sentAtMs };
    } catch (error) {
      if (signal.aborted) throw localError('CLOSED', 'The client was closed.');
      if (deadline.signal.aborted) throw localError('TIMEOUT', `${path} did not answer within ${timeoutMs} ms.`);
      throw error instanceof TypeError ? localError('NETWORK', `${url} cannot be reached.`, error) : error;
    } finally {
      timer.cancel();
    }
  };
}

function decode(text: string, status: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw foreignAnswer(status, error);
  }
}
