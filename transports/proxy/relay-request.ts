/** Copies what the relay needs of a request, because uWebSockets.js takes it back when the route callback returns. Checks its form. */
import { validate } from 'uuid';
import type { SourceAddress } from '../../actors/bounds/source-address.ts';
import type { AnswerKind } from '../../actors/metering/answer-reader.ts';
import { multipartBoundary } from '../../actors/metering/multipart-scanner.ts';
import { JsonMeter, createMultipartMeter, emptyMeter, type UploadMeter } from '../../actors/metering/upload-meter.ts';
import type { UsageEventType } from '../../actors/events/usage-event.ts';
import { promptChat } from '../../actors/prompts/prompted-chat.ts';
import type { SystemPrompt } from '../../actors/prompts/system-prompt.ts';
import { VelloError } from '../../config/errors.ts';
import { parseAnyJson } from '../http/api/validate-body.ts';
import type { Framing, RequestHead } from '../http/server/request-head.ts';

export interface RelayRoute {
  readonly method: 'GET' | 'POST';
  /** May end in one parameter. */
  readonly pattern: string;
  /** Without the parameter, which follows as it came. */
  readonly upstreamPath: string;
  readonly type: UsageEventType;
  readonly answer: AnswerKind;
  /** `prompt`: JSON that names a system prompt. */
  readonly body: 'multipart' | 'json' | 'prompt' | 'none';
  /** A member of the JSON body that must be false where it is given. */
  readonly forbidden?: string;
  /** Whether `X-Session-Id` must be given; otherwise one is made. */
  readonly needsSession: boolean;
  /** Whether the request reports an event. Listing models uses none. */
  readonly reportsEvent: boolean;
}

export interface RelayRequest {
  readonly route: RelayRoute;
  /** As the provider is asked: the route's, or HEAD where the route is a GET. */
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly upstreamPath: string;
  readonly requestId: string;
  readonly framing: Framing;
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

/** @throws VelloError `BAD_REQUEST` for a parameter that could lead elsewhere */
export function readRelayRequest(route: RelayRoute, head: RequestHead, requestId: string): RelayRequest {
  const traceparent = head.header('traceparent');
  return {
    route,
    method: head.method === 'HEAD' ? 'HEAD' : route.method,
    upstreamPath: route.pattern.includes(':')
      ? route.upstreamPath + safePathPart(head.parameter(0))
      : route.upstreamPath,
    requestId,
    framing: head.framing,
    models: modelsOf(head),
    traceparent: traceparent !== '' && TRACEPARENT.test(traceparent) ? traceparent : '',
    header: (name) => head.header(name),
    remoteAddress: () => head.remoteAddress(),
  };
}

const TRACEPARENT = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/;
const NONE: readonly string[] = [];

function modelsOf(head: RequestHead): readonly string[] {
  const named = head.header('x-vello-model');
  if (!head.hasQuery) return named === '' ? NONE : [named.slice(0, LONGEST_MODEL)];
  const names = new Set([named, ...head.query.getAll('model')]);
  names.delete('');
  return [...names].map((name) => name.slice(0, LONGEST_MODEL));
}

const LONGEST_MODEL = 256;

/** One part of a path, as it came, where no reader takes it for anything but a name. */
function safePathPart(part: string): string {
  if (
    PATH_PART.test(part) &&
    !decodedOf(part)
      .split(/[/\\]/)
      .some((name) => name === '' || /^\.\.?$/.test(name))
  )
    return part;
  throw new VelloError('BAD_REQUEST', 'The path names nothing that could be there.');
}

const PATH_PART = /^(?:[\w.~!$&'()*+,;=:@-]|%[\da-f]{2})+$/i;

/** Empty where it has no meaning or holds control characters. */
function decodedOf(part: string): string {
  try {
    const text = decodeURIComponent(part);
    return /\p{Cc}/u.test(text) ? '' : text;
  } catch {
    return '';
  }
}

/**
 * The session that the request belongs to, in lower case.
 * @throws VelloError `BAD_REQUEST` when it is no UUID, or absent where it is required.
 */
export function sessionOf(request: RelayRequest, newId: () => string): string {
  const given = request.header('x-session-id');
  if (given === '' && !request.route.needsSession) return newId();
  if (given === '') throw new VelloError('BAD_REQUEST', 'X-Session-Id is missing: a UUID.');
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
      if (/^application\/json\s*(;|$)/i.test(contentType)) {
        // What is spoken or drawn is given in words alone: none of them may pass for a file.
        return new JsonMeter(model, request.route.forbidden, request.route.answer === 'words');
      }
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
  const { chat, prompt } = promptChat(parseAnyJson(body), prompts);
  const written = Buffer.from(writeJson(chat));
  const meter = new JsonMeter(request.models[0]);
  meter.take([written]);
  const framing: Framing = { chunked: false, contentLength: written.length };
  return { request: { ...request, framing }, body: written, meter, prompt };
}

function writeJson(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    // It was JSON: only a depth that exhausts the stack cannot be written again.
    throw new VelloError('BAD_REQUEST', 'The body is nested too deep.');
  }
}
