/**
 * A listener on uWebSockets.js: routes, request ids, body limits, error answers and an orderly stop. It knows nothing of what the
 * routes do. Every native callback enters through here, guarded: an exception costs one request or socket, never the process.
 */
import uWS from '#uws';
import type { HttpRequest as RawRequest, HttpResponse as RawResponse } from '#uws';
import type { SourceAddress } from '../../../actors/bounds/source-address.ts';
import { newId } from '../../../actors/identity/new-id.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { Metrics } from '../../../actors/ports/metrics.ts';
import { VelloError } from '../../../config/errors.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';
import { collectBody, type BodyCollector, type BodyLimits } from './body-collector.ts';
import { createCors, preflightHeaders } from './cors.ts';
import { createDoor } from './door.ts';
import { NativeResponse } from './native-response.ts';
import { NativeSocket, type Held } from './native-socket.ts';
import { problemReply, toVelloError } from './problem.ts';
import { RequestHead } from './request-head.ts';
import { writeLast, writeStream, writeWhole, type Headers, type StreamReply, type WholeReply } from './write-reply.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpRequest {
  readonly method: Method | 'HEAD';
  readonly path: string;
  /** Path and query as in the request line: what a caller signs. */
  readonly target: string;
  readonly query: URLSearchParams;
  /** Path parameters by name, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The header's value by its name in any case; the empty string when it is absent. */
  header(name: string): string;
  readonly remoteAddress: SourceAddress;
  readonly requestId: string;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** The whole body, within the route's limits. @throws VelloError `PAYLOAD_TOO_LARGE`, `BAD_REQUEST` */
  readBody(): Promise<Buffer>;
}

export type HttpReply = WholeReply | StreamReply;

export type Handler = (request: HttpRequest) => HttpReply | Promise<HttpReply>;
/** Answers by itself. What it throws synchronously is answered as an error. */
export type RawHandler = (response: NativeResponse, head: RequestHead, requestId: string) => void;

/** One kind of WebSocket. */
export interface SocketBehavior<T> {
  /** A larger message closes the socket. */
  readonly messageBytes: number;
  /** A client that takes so little that more than this waits for it is cut. */
  readonly bufferedBytes: number;
  /** Longest silence of a client; it is pinged in time. */
  readonly idleSeconds: number;
  /** Calls `accept`, now or later, or answers by itself. */
  upgrade(
    response: NativeResponse,
    head: RequestHead,
    requestId: string,
    accept: (data: T, protocol: string) => void,
  ): void;
  open(socket: NativeSocket<T>): void;
  /** The memory of `data` is taken back when it returns. */
  message(socket: NativeSocket<T>, data: ArrayBuffer, isBinary: boolean): void;
  drain(socket: NativeSocket<T>): void;
  close(socket: NativeSocket<T>, code: number): void;
}

export interface HttpServer {
  route(method: Method, pattern: string, handler: Handler, limits?: Partial<BodyLimits>): void;
  raw(method: Method, pattern: string, handler: RawHandler): void;
  ws<T>(pattern: string, behavior: SocketBehavior<T>): void;
  /** Starts listening and returns the port. @throws VelloError `PORT_IN_USE` */
  listen(): Promise<number>;
  /** Closes the listening socket. Requests under way go on, those on open connections are still served, and each answer is its connection's last. */
  stopAccepting(): Promise<void>;
  /** After `stopAccepting`: resolves when no connection is left that could bring a request, or after `withinMs`. */
  deserted(withinMs: number): Promise<void>;
  /** Resolves when no request of a handler is under way, or after `withinMs`; then closes every connection. */
  close(withinMs: number): Promise<void>;
}

export interface HttpServerOptions {
  /** Name in metrics and logs: api, gateway, inference, admin. */
  readonly listener: string;
  readonly address: ListenAddress;
  /** Other processes of ours listen on the same address: the kernel spreads new connections over them. */
  readonly sharesPort?: boolean;
  /** Take the caller from the last `X-Forwarded-For` entry; one that is no address is a 400, everywhere. */
  readonly trustProxy?: boolean;
  /** Origins whose pages may read the answers; `*` for all. Absent: none, and nothing is said of it. */
  readonly corsOrigins?: ReadonlySet<string> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

const DEFAULT_LIMITS: BodyLimits = { maxBytes: 64 * 1024, deadlineMs: 30_000 };

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { clock, log, metrics, listener } = options;
  const app = uWS.App();
  const door = createDoor(app, options);
  const cors = options.corsOrigins === undefined ? undefined : createCors(options.corsOrigins);
  const methodsByPattern = new Map<string, Set<Method>>();
  let inFlight = 0;
  let idle: (() => void) | undefined;
  let forgetGauge: (() => void) | undefined;

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

  const handle = (route: string, handler: Handler, limits: BodyLimits): RawHandler => {
    return (response, head, requestId) => {
      const openai = route.startsWith('/v1/');
      const isHead = head.method === 'HEAD';
      const abort = new AbortController();
      const exchange: Exchange = { route, requestId, startedMs: clock.monotonicMs(), finished: false, body: undefined };
      inFlight += 1;
      response.onAborted(() => {
        exchange.body?.abort();
        abort.abort();
        finish(exchange, 499);
      });
      const fail = (error: unknown) => {
        const failure = toVelloError(error);
        if (failure.code === 'INTERNAL') {
          log.error('a handler failed', { listener, route, requestId, error: failure.extras.cause });
        }
        writeWhole(response, requestId, problemReply(failure, requestId, openai), isHead);
        finish(exchange, failure.status);
      };
      const { framing } = head;
      if (framing.chunked || (framing.contentLength ?? 0) > 0) exchange.body = collectBody(response, limits, clock);
      if ((framing.contentLength ?? 0) > limits.maxBytes) {
        fail(new VelloError('PAYLOAD_TOO_LARGE', `At most ${limits.maxBytes} bytes are taken here.`));
        return;
      }
      const collector = exchange.body;
      const readBody = async () => (collector === undefined ? Buffer.alloc(0) : collector.read());
      const answer = async () => {
        const request = toHttpRequest(route, head, requestId, abort.signal);
        const reply = await handler({ ...request, readBody });
        if (response.isOver) return;
        if ('stream' in reply) await writeStream(response, requestId, reply, isHead);
        else writeWhole(response, requestId, reply, isHead);
        finish(exchange, reply.status);
      };
      answer().catch((error: unknown) => response.guard(() => fail(error)));
    };
  };

  /** What stands between native code and every handler: wraps, judges the head, answers what the handler throws. */
  const enter = (pattern: string, act: RawHandler) => {
    const origin = { parameters: [...pattern.matchAll(PARAMETER)].length, trustProxy: options.trustProxy === true };
    return (raw: RawResponse, request: RawRequest) => {
      const requestId = newId();
      const response = new NativeResponse(
        raw,
        (error) => log.error('a native callback failed', { listener, route: pattern, requestId, error }),
        () => door.isClosed,
      );
      if (cors !== undefined) response.everyHead = cors.headersFor(request.getHeader('origin'));
      response.guard(() => {
        const replyTo = (error: unknown) => problemReply(toVelloError(error), requestId, isOpenAi(request.getUrl()));
        let head: RequestHead;
        try {
          head = new RequestHead(request, origin, response);
        } catch (error) {
          writeLast(response, requestId, replyTo(error));
          return;
        }
        try {
          act(response, head, requestId);
        } catch (error) {
          if (!(error instanceof VelloError))
            log.error('a raw handler failed', { listener, route: pattern, requestId, error });
          writeWhole(response, requestId, replyTo(error), head.method === 'HEAD');
        }
      });
      response.isFirstTurn = false;
    };
  };

  const add = (method: Method, pattern: string, act: RawHandler) => {
    const methods = methodsByPattern.get(pattern) ?? new Set();
    methodsByPattern.set(pattern, methods.add(method));
    app[NATIVE_METHOD[method]](pattern, enter(pattern, act));
    if (method === 'GET') app.head(pattern, enter(pattern, act));
  };

  const refuse =
    (failure: () => VelloError, headers: Headers): RawHandler =>
    (response, head, requestId) => {
      if (!METHOD.test(head.method)) {
        // Native code takes anything for a method, and the trailers of a chunked body for a request.
        const error = new VelloError('BAD_REQUEST', 'The method is no name.');
        writeLast(response, requestId, problemReply(error, requestId, isOpenAi(head.path)));
        return;
      }
      const reply = problemReply(failure(), requestId, isOpenAi(head.path));
      const complete = { ...reply, headers: { ...reply.headers, ...headers } };
      writeWhole(response, requestId, complete, head.method === 'HEAD');
    };

  /** Browsers ask before they send what a form could not; nobody is asked for a token then. */
  const preflight =
    (methods: string, otherwise: RawHandler): RawHandler =>
    (response, head, requestId) => {
      if (head.header('access-control-request-method') === '') otherwise(response, head, requestId);
      else {
        const headers = preflightHeaders(methods, head.header('access-control-request-headers'));
        writeWhole(response, requestId, { status: 204, headers });
      }
    };

  const addSockets = <T>(pattern: string, behavior: SocketBehavior<T>) => {
    const guard = (raw: uWS.WebSocket<Held<T>>, act: (socket: NativeSocket<T>) => void) => {
      const held = raw.getUserData();
      const socket = (held.socket ??= new NativeSocket<T>(raw));
      try {
        act(socket);
      } catch (error) {
        log.error('a socket callback failed', { listener, route: pattern, error });
        socket.close(FAILED, 'The server failed.');
      }
    };
    const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
    const otherwise = refuse(() => new VelloError('UPGRADE_REQUIRED'), headers);
    app.ws<Held<T>>(pattern, {
      maxPayloadLength: behavior.messageBytes,
      maxBackpressure: behavior.bufferedBytes,
      idleTimeout: behavior.idleSeconds,
      sendPingsAutomatically: true,
      upgrade: (raw, request, context) => {
        enter(pattern, (response, head, requestId) => {
          if (head.framing.chunked || (head.framing.contentLength ?? 0) > 0) {
            // A proxy would take for the body of a request what is read here as frames.
            const error = new VelloError('BAD_REQUEST', 'An upgrade has no body.');
            writeLast(response, requestId, problemReply(error, requestId, false));
            return;
          }
          if (head.header('sec-websocket-version') !== '13') {
            otherwise(response, head, requestId);
            return;
          }
          const key = head.header('sec-websocket-key');
          const extensions = head.header('sec-websocket-extensions');
          behavior.upgrade(response, head, requestId, (data, protocol) =>
            response.upgrade(data, { key, protocol, extensions, context }),
          );
        })(raw, request);
      },
      open: (raw) => {
        door.upgraded();
        guard(raw, (socket) => behavior.open(socket));
      },
      message: (raw, data, isBinary) => guard(raw, (socket) => behavior.message(socket, data, isBinary)),
      drain: (raw) => guard(raw, (socket) => behavior.drain(socket)),
      close: (raw, code) =>
        guard(raw, (socket) => {
          socket.markClosed();
          behavior.close(socket, code);
        }),
    });
    // What asks for no upgrade comes here.
    add('GET', pattern, otherwise);
  };

  return {
    route: (method, pattern, handler, limits = {}) =>
      add(method, pattern, handle(pattern, handler, { ...DEFAULT_LIMITS, ...limits })),
    raw: add,
    ws: addSockets,
    listen: async () => {
      for (const [pattern, methods] of methodsByPattern) {
        const refusal = () => new VelloError('METHOD_NOT_ALLOWED');
        const allowed = [...methods].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
        const refused = refuse(refusal, { Allow: allowed });
        if (cors !== undefined) app.options(pattern, enter(pattern, preflight(allowed, refused)));
        app.any(pattern, enter(pattern, refused));
      }
      const notFound = refuse(() => new VelloError('NOT_FOUND'), {});
      app.any('/*', enter('/*', notFound));
      const port = await door.open();
      forgetGauge = metrics.onScrape(() => metrics.gauge('vello_http_requests_in_flight', { listener }, inFlight));
      return port;
    },
    stopAccepting: () => door.close(),
    deserted: (withinMs) => door.deserted(withinMs),
    close: async (withinMs) => {
      await door.close();
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          const timer = clock.setTimer(withinMs, resolve);
          idle = () => {
            timer.cancel();
            resolve();
          };
        });
      }
      forgetGauge?.();
      app.close();
    },
  };
}

const NATIVE_METHOD = { GET: 'get', POST: 'post', PUT: 'put', PATCH: 'patch', DELETE: 'del' } as const;

interface Exchange {
  readonly route: string;
  readonly requestId: string;
  readonly startedMs: number;
  finished: boolean;
  body: BodyCollector | undefined;
}

/** Close code of a socket whose handler failed (RFC 6455 §7.4.1). */
const FAILED = 1011;

/** RFC 9110 §5.6.2. */
const METHOD = /^[\w!#$%&'*+.^`|~-]+$/;

/** Answers in OpenAI's error shape (contract §2). */
const isOpenAi = (path: string) => path.startsWith('/v1/');

/** All that a handler may need of the request. @throws VelloError `BAD_REQUEST` */
function toHttpRequest(
  pattern: string,
  head: RequestHead,
  requestId: string,
  signal: AbortSignal,
): Omit<HttpRequest, 'readBody'> {
  const params: Record<string, string> = {};
  for (const [index, name] of [...pattern.matchAll(PARAMETER)].entries()) {
    params[name[1] ?? ''] = decodePathPart(head.parameter(index));
  }
  return {
    method: head.method as HttpRequest['method'],
    path: head.path,
    target: head.target,
    query: head.query,
    params,
    header: (name) => head.header(name.toLowerCase()),
    remoteAddress: head.remoteAddress(),
    requestId,
    signal,
  };
}

const PARAMETER = /:(\w+)/g;

function decodePathPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new VelloError('BAD_REQUEST', 'The path holds a malformed percent-encoding.');
  }
}
