/**
 * A listener on uWebSockets.js: routes, request ids, body limits, error answers, streaming with backpressure and an
 * orderly stop. It knows nothing of what the routes do. Raw routes (the relay) and WebSockets get the native objects.
 */
import uWS from 'uWebSockets.js';
import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse, WebSocketBehavior } from 'uWebSockets.js';
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { VelloError } from '../../config/errors.ts';
import type { ListenAddress } from '../../config/parse-setting.ts';
import { collectBody, type BodyCollector, type BodyLimits } from './body-collector.ts';
import { readFraming } from './framing.ts';
import { problemReply, toVelloError, type ProblemReply } from './problem.ts';
import { REASON_PHRASES } from './reason-phrases.ts';
import { HEADER, newRequestId } from './request-id.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRequest {
  readonly method: Method;
  readonly path: string;
  /** Path and query as in the request line: what a caller signs. */
  readonly target: string;
  readonly query: URLSearchParams;
  /** Path parameters by name, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The header's value; the empty string when it is absent. */
  header(name: string): string;
  readonly remoteAddress: string;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** The whole body, within the route's limits. @throws VelloError `PAYLOAD_TOO_LARGE`, `BAD_REQUEST` */
  readBody(): Promise<Buffer>;
}

export type HttpReply =
  | { readonly status: number; readonly headers?: Headers; readonly body?: string | Buffer | object }
  | { readonly status: number; readonly headers?: Headers; readonly stream: AsyncIterable<string | Uint8Array> };
type Headers = Readonly<Record<string, string>>;

export type Handler = (request: HttpRequest) => HttpReply | Promise<HttpReply>;
/** Answers by itself. Must attach `onAborted` before it first awaits; what it throws synchronously is answered as an error. */
export type RawHandler = (response: UwsResponse, request: UwsRequest, requestId: string) => void;

export interface HttpServer {
  route(method: Method, pattern: string, handler: Handler, limits?: Partial<BodyLimits>): void;
  raw(method: Method, pattern: string, handler: RawHandler): void;
  ws<T>(pattern: string, behavior: WebSocketBehavior<T>): void;
  /** Starts listening and returns the port. @throws VelloError `PORT_IN_USE` */
  listen(): Promise<number>;
  /** Closes the listening socket; requests under way go on. */
  stopAccepting(): void;
  /** Resolves when no request of a handler is under way, or after `withinMs`; then closes every connection. */
  close(withinMs: number): Promise<void>;
}

export interface HttpServerOptions {
  /** Name in metrics and logs: api, gateway, inference, admin. */
  readonly listener: string;
  readonly address: ListenAddress;
  readonly trustProxy?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const DEFAULT_LIMITS: BodyLimits = { maxBytes: 64 * 1024, deadlineMs: 30_000 };

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { clock, log, metrics, listener, address } = options;
  const app = uWS.App();
  const methodsByPattern = new Map<string, Set<Method>>();
  let listenSocket: uWS.us_listen_socket | undefined;
  let inFlight = 0;
  let idle: (() => void) | undefined;

  metrics.onScrape(() => metrics.gauge('vello_http_requests_in_flight', { listener }, inFlight));

  const finish = (exchange: Exchange, status: number) => {
    if (exchange.finished) return;
    exchange.finished = true;
    exchange.body?.release();
    inFlight -= 1;
    if (inFlight === 0) idle?.();
    const elapsedMs = clock.monotonicMs() - exchange.startedMs;
    metrics.count('vello_http_requests_total', { listener, route: exchange.route, status: String(status) });
    metrics.observe('vello_http_request_seconds', { listener, route: exchange.route }, elapsedMs / 1000);
    log.debug('answered', { listener, route: exchange.route, status, elapsedMs, requestId: exchange.requestId });
  };

  const serve = (
    method: Method,
    route: string,
    handler: Handler,
    limits: BodyLimits,
    response: UwsResponse,
    request: UwsRequest,
  ) => {
    const requestId = newRequestId();
    const openai = route.startsWith('/v1/');
    const abort = new AbortController();
    const exchange: Exchange = {
      route,
      requestId,
      startedMs: clock.monotonicMs(),
      finished: false,
      aborted: false,
      wakeWriter: undefined,
      body: undefined,
    };
    inFlight += 1;
    response.onAborted(() => {
      exchange.aborted = true;
      exchange.body?.abort();
      abort.abort();
      exchange.wakeWriter?.();
      finish(exchange, 499);
    });
    const fail = (error: unknown) => {
      const failure = toVelloError(error);
      if (failure.code === 'INTERNAL') {
        log.error('a handler failed', { listener, route, requestId, error: failure.extras.cause });
      }
      if (!exchange.aborted) writeWhole(response, exchange, problemReply(failure, requestId, openai));
      finish(exchange, failure.status);
    };
    try {
      const wrapped = wrapRequest(
        method,
        route,
        response,
        request,
        requestId,
        abort.signal,
        options.trustProxy === true,
      );
      const framing = readFraming(request);
      if (method !== 'GET' && method !== 'DELETE') exchange.body = collectBody(response, limits, clock);
      if ((framing.contentLength ?? 0) > limits.maxBytes) {
        throw new VelloError('PAYLOAD_TOO_LARGE', `At most ${limits.maxBytes} bytes are taken here.`);
      }
      const collector = exchange.body;
      const readBody = async () => (collector === undefined ? Buffer.alloc(0) : collector.read());
      const answer = async () => {
        const reply = await handler({ ...wrapped, readBody });
        if (exchange.aborted) return;
        if ('stream' in reply) await writeStream(response, exchange, reply);
        else writeWhole(response, exchange, reply);
        finish(exchange, reply.status);
      };
      answer().catch(fail);
    } catch (error) {
      fail(error);
    }
  };

  const guardRaw = (route: string, handler: RawHandler) => (response: UwsResponse, request: UwsRequest) => {
    const requestId = newRequestId();
    try {
      handler(response, request, requestId);
    } catch (error) {
      // An exception that reached uWebSockets.js would end the whole process.
      const failure = toVelloError(error);
      if (failure.code === 'INTERNAL') log.error('a raw handler failed', { listener, route, requestId, error });
      response.onAborted(() => undefined);
      const exchange = { requestId, aborted: false };
      writeWhole(response, exchange, problemReply(failure, requestId, route.startsWith('/v1/')));
    }
  };

  const remember = (method: Method, pattern: string) => {
    const methods = methodsByPattern.get(pattern) ?? new Set();
    methodsByPattern.set(pattern, methods.add(method));
  };

  const refuse = (failure: () => VelloError, headers: Headers) => (response: UwsResponse, request: UwsRequest) => {
    const requestId = newRequestId();
    response.onAborted(() => undefined);
    const reply = problemReply(failure(), requestId, request.getUrl().startsWith('/v1/'));
    const complete = { ...reply, headers: { ...reply.headers, ...headers } };
    if (request.getMethod() === 'head') writeHeadOnly(response, requestId, complete);
    else writeWhole(response, { requestId, aborted: false }, complete);
  };

  return {
    route: (method, pattern, handler, limits = {}) => {
      remember(method, pattern);
      const complete = { ...DEFAULT_LIMITS, ...limits };
      app[NATIVE_METHOD[method]](pattern, (response, request) =>
        serve(method, pattern, handler, complete, response, request),
      );
    },
    raw: (method, pattern, handler) => {
      remember(method, pattern);
      app[NATIVE_METHOD[method]](pattern, guardRaw(pattern, handler));
    },
    ws: (pattern, behavior) => {
      app.ws(pattern, behavior);
    },
    listen: () => {
      for (const [pattern, methods] of methodsByPattern) {
        const refusal = () => new VelloError('METHOD_NOT_ALLOWED');
        app.any(pattern, refuse(refusal, { Allow: [...methods].join(', ') }));
      }
      app.any(
        '/*',
        refuse(() => new VelloError('NOT_FOUND'), {}),
      );
      return new Promise((resolve, reject) => {
        // The native function takes all four; the declarations know only three of them.
        const listen = app.listen.bind(app) as unknown as NativeListen;
        listen(address.host, address.port, EXCLUSIVE_PORT, (socket) => {
          if (socket === false) {
            const where = `${address.host}:${address.port}`;
            reject(new VelloError('PORT_IN_USE', `The ${listener} cannot listen on ${where}: the address is in use.`));
            return;
          }
          listenSocket = socket;
          const port = uWS.us_socket_local_port(socket);
          log.info('listening', { listener, host: address.host, port });
          resolve(port);
        });
      });
    },
    stopAccepting: () => {
      if (listenSocket !== undefined) uWS.us_listen_socket_close(listenSocket);
      listenSocket = undefined;
    },
    close: async (withinMs) => {
      if (listenSocket !== undefined) uWS.us_listen_socket_close(listenSocket);
      listenSocket = undefined;
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(withinMs, resolve);
          idle = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      app.close();
    },
  };
}

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`: without it a second process silently shares the port and takes half of the connections. */
const EXCLUSIVE_PORT = 1;
type NativeListen = (
  host: string,
  port: number,
  options: number,
  done: (s: uWS.us_listen_socket | false) => void,
) => void;

const NATIVE_METHOD = { GET: 'get', POST: 'post', PUT: 'put', PATCH: 'patch', DELETE: 'del' } as const;

interface Exchange {
  readonly route: string;
  readonly requestId: string;
  readonly startedMs: number;
  finished: boolean;
  aborted: boolean;
  /** Wakes a writer that waits for the socket to drain. */
  wakeWriter: (() => void) | undefined;
  body: BodyCollector | undefined;
}

/** Copies all that a handler may need: the native request is gone once the route callback returns. */
function wrapRequest(
  method: Method,
  pattern: string,
  response: UwsResponse,
  request: UwsRequest,
  requestId: string,
  signal: AbortSignal,
  trustProxy: boolean,
): Omit<HttpRequest, 'readBody'> {
  const headers = new Map<string, string>();
  request.forEach((name, value) => headers.set(name, value));
  const params: Record<string, string> = {};
  for (const [index, name] of [...pattern.matchAll(/:(\w+)/g)].entries()) {
    params[name[1] ?? ''] = decodePathPart(request.getParameter(index));
  }
  // The native function gives undefined for no query at all, whatever its declaration says.
  const query = (request.getQuery() as string | undefined) ?? '';
  const direct = Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
  const forwarded = trustProxy ? headers.get('x-forwarded-for')?.split(',').at(-1)?.trim() : undefined;
  return {
    method,
    path: request.getUrl(),
    target: query === '' ? request.getUrl() : `${request.getUrl()}?${query}`,
    query: new URLSearchParams(query),
    params,
    header: (name) => headers.get(name.toLowerCase()) ?? '',
    remoteAddress: forwarded ?? direct,
    requestId,
    signal,
  };
}

function decodePathPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new VelloError('BAD_REQUEST', 'The path holds a malformed percent-encoding.');
  }
}

function writeHead(response: UwsResponse, requestId: string, status: number, headers: Headers): void {
  response.writeStatus(`${status} ${REASON_PHRASES[status] ?? 'Status'}`);
  response.writeHeader(HEADER, requestId);
  // A value with a line break would let its author write headers of his own.
  for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value.replace(/[\r\n\0]/g, ' '));
}

function writeWhole(
  response: UwsResponse,
  exchange: { readonly requestId: string; readonly aborted: boolean },
  reply: { readonly status: number; readonly headers?: Headers; readonly body?: string | Buffer | object },
): void {
  const { body } = reply;
  const encoded =
    body === undefined || typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body);
  const headers =
    encoded === body ? (reply.headers ?? {}) : { 'Content-Type': 'application/json', ...(reply.headers ?? {}) };
  response.cork(() => {
    writeHead(response, exchange.requestId, reply.status, headers);
    if (encoded === undefined) response.endWithoutBody(reply.status === 204 || reply.status === 304 ? undefined : 0);
    else response.end(encoded);
  });
}

/** An answer to HEAD: the length of the body and no byte of it (RFC 9110 §9.3.2). uWebSockets.js would send it. */
function writeHeadOnly(response: UwsResponse, requestId: string, reply: ProblemReply): void {
  response.cork(() => {
    writeHead(response, requestId, reply.status, reply.headers);
    response.endWithoutBody(Buffer.byteLength(reply.body));
  });
}

async function writeStream(
  response: UwsResponse,
  exchange: Exchange,
  reply: { readonly status: number; readonly headers?: Headers; readonly stream: AsyncIterable<string | Uint8Array> },
): Promise<void> {
  response.onWritable(() => {
    exchange.wakeWriter?.();
    return true;
  });
  const source = reply.stream[Symbol.asyncIterator]();
  // The first chunk is awaited before the status is sent, so that a failure up to there is still an ordinary error answer.
  let next = await source.next();
  if (isAborted(exchange)) {
    await source.return?.();
    return;
  }
  response.cork(() => {
    writeHead(response, exchange.requestId, reply.status, reply.headers ?? {});
    if (next.done !== true) response.write(next.value);
  });
  try {
    while (next.done !== true) {
      next = await source.next();
      if (isAborted(exchange)) break;
      if (next.done === true) continue;
      const chunk = next.value;
      const sent = { drained: true };
      response.cork(() => (sent.drained = response.write(chunk)));
      if (!sent.drained) {
        await new Promise<void>((resolve) => (exchange.wakeWriter = resolve));
        exchange.wakeWriter = undefined;
        if (isAborted(exchange)) break;
      }
    }
  } catch (error) {
    // The status is out: cutting the connection is the only honest way left to say that the answer is incomplete.
    if (!isAborted(exchange)) response.close();
    throw error;
  }
  if (isAborted(exchange)) await source.return?.();
  else response.cork(() => response.end());
}

/** Read through a call: the compiler cannot know that the flag changes while a writer waits. */
function isAborted(exchange: { readonly aborted: boolean }): boolean {
  return exchange.aborted;
}
