/**
 * Which headers cross the gateway, in both directions: those listed here and no others. So no credential, cookie, caller
 * address, hop-by-hop header (RFC 9110 §7.6.1) or account detail of ours can cross by being forgotten.
 */
import { createHmac } from 'node:crypto';
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { REQUEST_ID_HEADER } from '../http/server/write-reply.ts';
import { scrubText } from './key-scrubber.ts';

const TO_PROVIDER = [
  'content-type',
  'accept',
  'accept-language',
  'idempotency-key',
  'openai-beta',
  'traceparent',
  'tracestate',
];

const TO_CLIENT = [
  'content-type',
  'content-language',
  'content-disposition',
  'retry-after',
  'openai-model',
  'openai-processing-ms',
  'openai-version',
];

/** Headers of the provider's call. `secret` is the provider's key, if it asks for one. */
export function headersToProvider(
  header: (name: string) => string,
  secret: string | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {
    'user-agent': 'vello-gateway',
    // Compression would hold streamed events back. Who compresses all the same is read in `content-decoder.ts`.
    'accept-encoding': 'identity',
  };
  for (const name of TO_PROVIDER) {
    const value = header(name);
    if (value !== '') headers[name] = value;
  }
  if (secret !== undefined) headers['authorization'] = `Bearer ${secret}`;
  return headers;
}

/**
 * What our own engine is told of a caller: which requests are of one user, and nothing by which he could be found elsewhere. The same at
 * every gateway that has the engine's key.
 */
export function callerHeader(userId: string | undefined, secret: string | undefined): Record<string, string> {
  if (userId === undefined || secret === undefined) return {};
  const opaque = createHmac('sha256', secret).update(`vello-caller:v1\n${userId}`).digest('base64url');
  return { 'x-vello-caller': opaque.slice(0, 22) };
}

/** Headers of the client's answer that come from the provider's. */
export function headersToClient(headers: UpstreamHeaders, secret: string | undefined): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of TO_CLIENT) {
    const value = headerValue(headers, name);
    if (value !== undefined) passed[name] = scrubText(value, secret);
  }
  return passed;
}

/** Headers by which the client finds its request and session again. */
export function ownHeaders(requestId: string, sessionId: string): Record<string, string> {
  const session: Record<string, string> = sessionId === '' ? {} : { 'X-Session-Id': sessionId };
  return { [REQUEST_ID_HEADER]: requestId, ...session };
}

export function headerValue(headers: UpstreamHeaders, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === 'string' ? value : value[0];
}

/** Headers that keep whatever stands between us and the client from holding a stream back or storing it. */
export const UNBUFFERED: Readonly<Record<string, string>> = {
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};
