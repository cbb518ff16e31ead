/**
 * Which headers cross the gateway, in both directions: those listed here and no others. So no credential, cookie, caller
 * address, hop-by-hop header (RFC 9110 §7.6.1) or account detail of ours can cross by being forgotten.
 */
import { createHmac, hash } from 'node:crypto';
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { REQUEST_ID_HEADER } from '../http/server/write-reply.ts';
import { scrubText } from './key-scrubber.ts';

const TO_PROVIDER = ['content-type', 'accept', 'accept-language', 'openai-beta', 'traceparent', 'tracestate'];

const TO_CLIENT = [
  'content-type',
  'content-language',
  'content-disposition',
  'retry-after',
  'openai-model',
  'openai-processing-ms',
  'openai-version',
];

/** Those of a provider's answer that anybody here looks at. */
export const ANSWER_HEADERS = [...TO_CLIENT, 'content-encoding', 'content-length', 'retry-after-ms'];

/** Compression would hold streamed events back. Who compresses all the same is read in `content-decoder.ts`. */
const OF_OURS = 'user-agent: vello-gateway\r\naccept-encoding: identity\r\n';

/**
 * Headers of the provider's call, as lines. `secret` is the provider's key, if it asks for one; `userId` whom the call is for, where that is known.
 * @throws Error for a value that would end its line, which no client can send through the listener
 */
export function headersToProvider(
  header: (name: string) => string,
  secret: string | undefined,
  userId: string | undefined,
): string {
  let lines = OF_OURS;
  const kept = keptFrom(header('connection'));
  for (const name of TO_PROVIDER) {
    const value = header(name);
    if (value !== '' && !kept.includes(name)) lines += headerLine(name, value);
  }
  const key = header(IDEMPOTENCY_KEY);
  if (key !== '' && !kept.includes(IDEMPOTENCY_KEY))
    lines += headerLine(IDEMPOTENCY_KEY, userId === undefined ? key : keyOfUser(key, userId));
  return secret === undefined ? lines : lines + headerLine('authorization', `Bearer ${secret}`);
}

const IDEMPOTENCY_KEY = 'idempotency-key';

/** The headers that `Connection` names: they are for us and nobody behind us (RFC 9110 §7.6.1). */
function keptFrom(connection: string): readonly string[] {
  if (connection === '' || /^(?:keep-alive|close)$/i.test(connection)) return NONE;
  return connection.split(',').map((option) => option.trim().toLowerCase());
}

const NONE: readonly string[] = [];

/** All users share the provider's account: a key that another has used as well must not bring the answer to him. */
const keyOfUser = (key: string, userId: string): string => hash('sha256', `${userId}\n${key}`, 'base64url');

/** Text beyond ASCII stands in it as the client sent it: in UTF-8 (RFC 9110 §5.5). Cut to a byte each, its characters could become line breaks. */
function headerLine(name: string, value: string): string {
  if (!BEYOND_ASCII.test(value)) return `${name}: ${value}\r\n`;
  if (LINE_BREAK.test(value)) throw new Error(`The value of ${name} would end its line.`);
  return `${name}: ${Buffer.from(value).toString('latin1')}\r\n`;
}

const BEYOND_ASCII = /[^\t\x20-\x7e]/;
const LINE_BREAK = /[\r\n\0]/;

/**
 * What our own engine is told of a caller: which requests are of one user, and nothing by which he could be found elsewhere. The same at
 * every gateway that has the engine's key.
 */
export function callerHeader(userId: string | undefined, secret: string | undefined): string {
  const name = callerName(userId, secret);
  return name === undefined ? '' : `${CALLER_HEADER}: ${name}\r\n`;
}

export const CALLER_HEADER = 'x-vello-caller';

/** As in `callerHeader`. */
export function callerName(userId: string | undefined, secret: string | undefined): string | undefined {
  if (userId === undefined || secret === undefined) return undefined;
  return createHmac('sha256', secret).update(`vello-caller:v1\n${userId}`).digest('base64url').slice(0, 22);
}

/** Headers of the client's answer that come from the provider's, and those that keep whatever stands between from holding it back or storing it. */
export function addHeadersToClient(
  headers: Record<string, string>,
  given: UpstreamHeaders,
  secret: string | undefined,
): void {
  for (const name of TO_CLIENT) {
    const value = headerValue(given, name);
    if (value !== undefined) headers[name] = scrubText(value, secret);
  }
  headers['cache-control'] = 'no-store, no-transform';
  headers['x-accel-buffering'] = 'no';
}

/** Headers by which the client finds its request and session again, and the prompt that it was answered by. Each empty where there is none. */
export function ownHeaders(requestId: string, sessionId: string, prompt: string): Record<string, string> {
  const headers: Record<string, string> = {};
  headers[REQUEST_ID_HEADER] = requestId;
  if (sessionId !== '') headers['X-Session-Id'] = sessionId;
  if (prompt !== '') headers['X-Vello-Prompt'] = prompt;
  return headers;
}

export function headerValue(headers: UpstreamHeaders, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === 'string' ? value : value[0];
}
