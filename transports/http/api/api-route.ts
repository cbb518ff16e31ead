/**
 * One declaration per route of our own api: what it takes, who may call it, what it answers. The listener is registered from it and the
 * OpenAPI document is written from it, so that neither can say something the other does not do.
 */
import { Type, type Static, type TObject, type TSchema, type TUndefined } from '@sinclair/typebox';
import type { ErrorCode } from '../../../config/errors.ts';
import { LIMITS } from '../../../config/limits.ts';
import { createByteBudget } from '../server/byte-budget.ts';
import type { HttpReply, HttpRequest, HttpServer, Method } from '../server/server.ts';
import { readQuery } from './read-query.ts';
import { compileCheck, parseJson, requireJson, type Check } from './validate-body.ts';

/** Who is calling, by the kind of proof a route asks for. */
export interface Callers {
  readonly none: undefined;
  /** A key that has proved itself and may have no device yet. */
  readonly bootstrap: { readonly publicKey: string };
  readonly access: { readonly userId: string; readonly deviceId: string; readonly familyId: string };
  readonly service: { readonly serviceId: string };
}
export type AuthKind = keyof Callers;

/** Each resolves to the caller or throws a `VelloError` of status 401 or 403. */
export interface Guards {
  bootstrap(request: HttpRequest): Promise<Callers['bootstrap']>;
  access(request: HttpRequest): Promise<Callers['access']>;
  /** Judges the headers before anybody waits for the body, which a service signs too. */
  service(request: HttpRequest): Promise<(body: Buffer) => Promise<Callers['service']>>;
}

export interface Answer {
  readonly description: string;
  readonly schema?: TSchema;
  readonly contentType?: string;
}

export interface RouteFacts {
  readonly method: Method;
  /** As OpenAPI writes it: `/api/jobs/{id}`. */
  readonly path: string;
  /** Groups routes in the document. */
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beyond those that every route of its kind can answer. */
  readonly errors?: readonly ErrorCode[];
  readonly maxBodyBytes?: number;
}

interface Call<A extends AuthKind, P extends TObject, Q extends TObject, B extends TSchema> {
  readonly caller: Callers[A];
  readonly params: Static<P>;
  readonly query: Static<Q>;
  readonly body: Static<B>;
  readonly request: HttpRequest;
}

interface Declaration<A extends AuthKind, P extends TObject, Q extends TObject, B extends TSchema> extends RouteFacts {
  readonly auth: A;
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: TObject;
  readonly body?: B;
  /** The handler itself judges texts that a database could not keep; otherwise such a body is refused whole. */
  readonly anyText?: boolean;
  readonly handle: (call: Call<A, P, Q, B>) => HttpReply | Promise<HttpReply>;
}

/** What the OpenAPI document says of a route. A WebSocket, which is no route of handlers, is described by this alone. */
export interface RouteDescription extends RouteFacts {
  readonly auth: AuthKind;
  readonly params?: TObject;
  readonly query?: TObject;
  /** Request headers that the route reads itself. */
  readonly headers?: TObject;
  readonly body?: TSchema;
  /** Of `body`. Absent: application/json. */
  readonly bodyType?: string;
  /** The roles at whose addresses it is found, where that is not the api's. Its `errors` are then all there are. */
  readonly servedBy?: readonly ('gateway' | 'inference')[];
}

/** A route whose types are checked and forgotten, so that routes of all kinds stand in one list. */
export interface ApiRoute extends RouteDescription {
  serve(request: HttpRequest, guards: Guards): Promise<HttpReply>;
}

/** Compiles the schemas of a declaration. Order of refusals: caller (401, 403), kind of body (415), JSON (400), fields (422). */
export function apiRoute<
  const A extends AuthKind,
  P extends TObject = TObject,
  Q extends TObject = TObject,
  B extends TSchema = TUndefined,
>(declaration: Declaration<A, P, Q, B>): ApiRoute {
  const { handle, anyText, ...facts } = declaration;
  const checkParams = compileCheck(declaration.params ?? NOTHING, 'Some parts of the path are invalid.') as Check<P>;
  const querySchema = declaration.query ?? NOTHING;
  const checkQuery = compileCheck(querySchema, 'Some query parameters are invalid.') as Check<Q>;
  const checkBody = declaration.body === undefined ? undefined : compileCheck(declaration.body);
  const serve = async (request: HttpRequest, guards: Guards): Promise<HttpReply> => {
    const { caller, bytes } = await identify(declaration.auth, request, guards);
    const params = checkParams(request.params);
    const query = checkQuery(readQuery(request.query, querySchema));
    let body: unknown;
    if (checkBody !== undefined) {
      requireJson(request.header('content-type'));
      body = checkBody(parseJson(bytes ?? (await request.readBody()), anyText));
    }
    const reply = await handle({ caller: caller as Callers[A], params, query, body: body, request });
    return { ...reply, headers: { ...DEFAULT_HEADERS, ...reply.headers } };
  };
  return { ...facts, serve };
}

/** Puts the routes on a listener. */
export function registerRoutes(server: HttpServer, routes: readonly ApiRoute[], guards: Guards): void {
  const budget = createByteBudget(LIMITS.api.bodyBytesAtOnce);
  for (const route of routes) {
    const limits = { budget, ...(route.maxBodyBytes === undefined ? {} : { maxBytes: route.maxBodyBytes }) };
    server.route(route.method, listenerPattern(route.path), (request) => route.serve(request, guards), limits);
  }
}

/** `/api/jobs/{id}` as the listener writes it: `/api/jobs/:id`. */
export const listenerPattern = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

const NOTHING = Type.Object({}, { additionalProperties: false });

/** Answers are about one caller at one moment: no cache may keep them, no browser may guess at their kind. */
const DEFAULT_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

interface Identified {
  readonly caller: Callers[AuthKind];
  /** The body, where it had to be read. */
  readonly bytes?: Buffer;
}

async function identify(auth: AuthKind, request: HttpRequest, guards: Guards): Promise<Identified> {
  switch (auth) {
    case 'none':
      return { caller: undefined };
    case 'bootstrap':
      return { caller: await guards.bootstrap(request) };
    case 'access':
      return { caller: await guards.access(request) };
    case 'service': {
      const prove = await guards.service(request);
      const bytes = await request.readBody();
      return { caller: await prove(bytes), bytes };
    }
  }
}
