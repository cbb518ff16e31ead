/** Writes the OpenAPI 3.1 document of a listener from the declarations of its routes. Adds what every route of a kind has in common, and nothing else. */
import type { TObject, TSchema } from '@sinclair/typebox';
import { ERRORS, type ErrorCode } from '../../../config/errors.ts';
import { SETTINGS } from '../../../config/settings.ts';
import type { Answer, AuthKind, RouteDescription } from '../api/api-route.ts';
import { createSchemaCollector, type JsonSchema } from './openapi-schema.ts';

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly headers: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, SecurityScheme>>;
  };
}

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  /** Where it is found, if not where the document is. */
  readonly servers?: readonly { readonly url: string; readonly description: string }[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: true; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

export interface Response {
  readonly description: string;
  readonly headers: Readonly<Record<string, object>>;
  readonly content?: Content;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;
type SecurityScheme = Readonly<Record<string, string>>;

const DESCRIPTION =
  'Byte strings are base64url without padding, ids are UUIDs, times are ISO 8601 in UTC with milliseconds. Unknown fields are ' +
  'refused. Every failure is a problem document (RFC 9457) whose `code` is stable; every answer carries `X-Request-Id`.';

export function openApiDocument(routes: readonly RouteDescription[], version: string): OpenApiDocument {
  const schemas = createSchemaCollector();
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = describe(route, schemas.add);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Vello', version, description: DESCRIPTION },
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...schemas.collected, Problem: PROBLEM, OpenAiError: OPENAI_ERROR },
      headers: HEADERS,
      securitySchemes: SECURITY,
    },
  };
}

/** Every code that a route may answer with: its own, and those of its kind. */
export function errorCodesOf(route: RouteDescription): readonly ErrorCode[] {
  if (route.servedBy !== undefined) return route.errors ?? [];
  const ofBody: readonly ErrorCode[] = route.body === undefined ? [] : ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];
  return [...new Set([...ALWAYS, ...CODES_OF_AUTH[route.auth], ...ofBody, ...(route.errors ?? [])])];
}

const ALWAYS: readonly ErrorCode[] = ['BAD_REQUEST', 'INVALID_FIELDS', 'INTERNAL', 'UNAVAILABLE'];
const CODES_OF_TOKEN: readonly ErrorCode[] = ['AUTH_TOKEN_MISSING', 'AUTH_TOKEN_INVALID', 'AUTH_TOKEN_EXPIRED'];
const CODES_OF_AUTH: Readonly<Record<AuthKind, readonly ErrorCode[]>> = {
  none: [],
  bootstrap: CODES_OF_TOKEN,
  access: CODES_OF_TOKEN,
  service: ['SERVICE_AUTH_INVALID', 'SERVICE_CLOCK_SKEW', 'SERVICE_SIGNATURE_REPLAYED'],
};

function describe(route: RouteDescription, toSchema: (schema: TSchema) => JsonSchema): Operation {
  const parameters = [
    ...parametersOf('path', route.params, toSchema),
    ...parametersOf('query', route.query, toSchema),
    ...parametersOf('header', route.headers, toSchema),
  ];
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, describeAnswer(answer, toSchema)]);
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    security: [
      ...SECURITY_OF_AUTH[route.auth],
      ...(route.servedBy?.includes('inference') === true ? [{ inferenceKey: [] }] : []),
    ],
    ...(route.servedBy === undefined ? {} : { servers: route.servedBy.map((role) => SERVERS[role]) }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { [route.bodyType ?? 'application/json']: { schema: toSchema(route.body) } },
          },
        }),
    responses: { ...(Object.fromEntries(answers) as Record<string, Response>), ...describeErrors(route) },
  };
}

/** `GET /api/jobs/{id}` is `getApiJobsId`. */
const operationId = ({ method, path }: RouteDescription): string =>
  method.toLowerCase() + path.replace(/[^a-z0-9]+([a-z0-9]?)/gi, (_, letter: string) => letter.toUpperCase());

function parametersOf(
  place: Parameter['in'],
  schema: TObject | undefined,
  toSchema: (schema: TSchema) => JsonSchema,
): readonly Parameter[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: schema?.required?.includes(name) === true,
    schema: toSchema(property),
  }));
}

function describeAnswer(answer: Answer, toSchema: (schema: TSchema) => JsonSchema): Response {
  const content =
    answer.schema === undefined && answer.contentType === undefined
      ? {}
      : {
          content: {
            [answer.contentType ?? 'application/json']: {
              schema: answer.schema === undefined ? { type: 'string' } : toSchema(answer.schema),
            },
          },
        };
  return { description: answer.description, headers: REQUEST_ID, ...content };
}

function describeErrors(route: RouteDescription): Readonly<Record<string, Response>> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodesOf(route)) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, codes]): [string, Response] => [
    String(status),
    {
      description: codes.map((code) => `\`${code}\`: ${ERRORS[code].title}`).join(' '),
      headers:
        status === 429 ? { ...REQUEST_ID, 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } : REQUEST_ID,
      content: route.path.startsWith('/v1/')
        ? { 'application/json': { schema: { $ref: '#/components/schemas/OpenAiError' } } }
        : {
            'application/problem+json': {
              schema: { $ref: '#/components/schemas/Problem', properties: { code: { enum: codes } } },
            },
          },
    },
  ]);
  return Object.fromEntries(responses);
}

const REQUEST_ID = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } };

const HEADERS = {
  RequestId: { description: 'Names this exchange in our logs.', schema: { type: 'string', format: 'uuid' } },
  RetryAfter: { description: 'Seconds to wait before trying again.', schema: { type: 'integer' } },
};

const SECURITY: Readonly<Record<string, SecurityScheme>> = {
  access: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The access token of a device.' },
  bootstrap: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The bootstrap token that `verify` returns. Opens the registration of a device and nothing else.',
  },
  inferenceKey: {
    type: 'http',
    scheme: 'bearer',
    description: 'The key of the inference role (`VELLO_INFERENCE_KEY`), at the inference role only.',
  },
  serviceSignature: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description:
      '`Ed25519 <unix seconds>:<signature>` over `vello-service:v1`, service id, timestamp, method, path with query and the ' +
      'SHA-256 of the body in hex, joined by line feeds.',
  },
  serviceId: { type: 'apiKey', in: 'header', name: 'X-Vello-Service', description: 'Which service signs.' },
};

const SECURITY_OF_AUTH: Readonly<Record<AuthKind, readonly Readonly<Record<string, readonly string[]>>[]>> = {
  none: [],
  bootstrap: [{ bootstrap: [] }],
  access: [{ access: [] }],
  service: [{ serviceSignature: [], serviceId: [] }],
};

const SERVERS = {
  gateway: {
    url: `http://${SETTINGS.gatewayListen.fallback}`,
    description: 'The gateway, by default (`VELLO_GATEWAY_LISTEN`).',
  },
  inference: {
    url: `http://${SETTINGS.inferenceListen.fallback}`,
    description: 'The inference role, by default (`VELLO_INFERENCE_LISTEN`).',
  },
} as const;

const OPENAI_ERROR: JsonSchema = {
  type: 'object',
  description: 'What went wrong, as clients of OpenAI read it. Match on `code`.',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'code'],
      properties: { message: { type: 'string' }, type: { type: 'string' }, code: { type: 'string' } },
    },
  },
};

const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'What went wrong (RFC 9457). Match on `code`.',
  required: ['type', 'title', 'status', 'code', 'detail', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    request_id: { type: 'string', format: 'uuid' },
    errors: {
      type: 'array',
      description: 'Every offending field of a request that is well-formed but invalid.',
      items: {
        type: 'object',
        required: ['field', 'problem'],
        properties: {
          field: { type: 'string', description: 'JSON pointer (RFC 6901).' },
          problem: { type: 'string' },
        },
      },
    },
  },
};
