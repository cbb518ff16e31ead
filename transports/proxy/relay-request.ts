/** Copies what the relay needs of a request, because uWebSockets.js takes it back when the route callback returns. Checks its form. */
import { validate } from 'uuid';
import type { SourceAddress } from '../../actors/bounds/source-address.ts';
import { multipartBoundary } from '../../actors/metering/multipart-scanner.ts';
import {
  createJsonMeter,
  createMultipartMeter,
  emptyMeter,
  type UploadMeter,
} from '../../actors/metering/upload-meter.ts';
import type { UsageEventType } from '../../actors/events/usage-event.ts';
import { promptChat } from '../../actors/prompts/prompted-chat.ts';
import type { SystemPrompt } from '../../actors/prompts/system-prompt.ts';
import { VelloError } from '../../config/errors.ts';
import { parseJson } from '../http/api/validate-body.ts';
import type { Framing, RequestHead } from '../http/server/request-head.ts';

export interface RelayRoute {
  readonly method: 'GET' | 'POST';
  readonly pattern: string;
  readonly upstreamPath: string;
  readonly type: UsageEventType;
  /** `prompt`: JSON that names a system prompt. */
  readonly body: 'multipart' | 'json' | 'prompt' | 'none';
  /** Whether `X-Session-Id` must be given; otherwise one is made. */
  readonly needsSession: boolean;
  /** Whether the request reports an event. Listing models uses none. */
  readonly reportsEvent: boolean;
}

export interface RelayRequest {
  readonly route: RelayRoute;
  /** As the provider is asked: the route's, or HEAD where the route is a GET. */
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly requestId: string;
  readonly framing: Framing;
  readonly authorization: string;
  readonly remoteAddress: () => SourceAddress;
  /** Those that the client named beside the body; more than one is a contradiction. */
  readonly models: readonly string[];
  readonly traceparent: string;
  header(name: string): string;
}

/** Answers in OpenAI's error shape (contract §2). */
export function speaksOpenAi(route: RelayRoute): boolean {
  return route.pattern.startsWith('/v1/');
}

export function readRelayRequest(route: RelayRoute, head: RequestHead, requestId: string): RelayRequest {
  const { framing, header } = head;
  const named = new Set([header('x-vello-model'), ...head.query.getAll('model')].filter((name) => name !== ''));
  return {
    route,
    method: head.method === 'HEAD' ? 'HEAD' : route.method,
    requestId,
    framing,
    authorization: header('authorization'),
    remoteAddress: head.remoteAddress,
    models: [...named].map((name) => name.slice(0, 256)),
    traceparent: /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(header('traceparent'))
      ? header('traceparent')
      : '',
    header,
  };
}

/**
 * The session that the request belongs to, in lower case.
 * @throws VelloError `BAD_REQUEST` when it is no UUID, or absent where it is required.
 */
export function sessionOf(request: RelayRequest, newId: () => string): string {
  const given = request.header('x-session-id');
  if (given === '' && !request.route.needsSession) return newId();
  if (!validate(given)) throw new VelloError('BAD_REQUEST', 'X-Session-Id must be a UUID.');
  return given.toLowerCase();
}

/** @throws VelloError `UNSUPPORTED_MEDIA_TYPE` for a body that the route does not take, `BAD_REQUEST` for two models or an ambiguous boundary. */
export function meterFor(request: RelayRequest): UploadMeter {
  const [model, other] = request.models;
  if (other !== undefined) throw new VelloError('BAD_REQUEST', 'The request names two models.');
  const coding = request.header('content-encoding');
  if (coding !== '' && coding.toLowerCase() !== 'identity') {
    throw new VelloError('UNSUPPORTED_MEDIA_TYPE', 'The body must not be compressed.');
  }
  const contentType = request.header('content-type');
  switch (request.route.body) {
    case 'none':
      return emptyMeter;
    case 'json':
    case 'prompt':
      if (/^application\/json\s*(;|$)/i.test(contentType)) return createJsonMeter(model);
      throw new VelloError('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.');
    case 'multipart': {
      const boundary = multipartBoundary(contentType);
      if (boundary !== undefined) return createMultipartMeter(boundary, model);
      throw new VelloError('UNSUPPORTED_MEDIA_TYPE', 'The body must be multipart/form-data with a boundary.');
    }
  }
}

/** A request whose prompt has been put in: as it is sent on. */
export interface PromptedRequest {
  readonly request: RelayRequest;
  readonly body: Buffer;
  readonly meter: UploadMeter;
  /** Which text it was: `name@version`. */
  readonly prompt: string;
}

/** @throws VelloError where `body`, which is that of a request that names a prompt, is refused */
export function withPrompt(
  request: RelayRequest,
  body: Buffer,
  prompts: ReadonlyMap<string, SystemPrompt>,
): PromptedRequest {
  const { chat, prompt } = promptChat(parseJson(body, true), prompts);
  const written = Buffer.from(JSON.stringify(chat));
  const meter = createJsonMeter(request.models[0]);
  meter.take([written], true);
  const framing: Framing = { chunked: false, contentLength: written.length };
  return { request: { ...request, framing }, body: written, meter, prompt };
}
