/**
 * What a client is told when the provider answers with an error. Its own mistakes reach it in the provider's words; what
 * concerns our account does not: there it would read the provider's 401 as its own and throw a good token away.
 */
import { ERRORS, VelloError, type ErrorCode } from '../../config/errors.ts';
import { problemReply, type ProblemReply } from '../http/problem.ts';
import { headerValue } from './header-policy.ts';
import type { UpstreamHeaders } from '../../actors/ports/upstream.ts';

export interface UpstreamRefusal {
  readonly status: number;
  readonly headers: UpstreamHeaders;
  /** The first part of the body, free of the provider's key; `undefined` when it was larger than we hold. */
  readonly body: string | undefined;
}

/** Whether an error says something about us and nothing about the request. */
export function concernsOurAccount(status: number): boolean {
  return status === 401 || status === 402 || status === 403 || status === 407;
}

export function replyToRefusal(refusal: UpstreamRefusal, requestId: string, openai: boolean): ProblemReply {
  const { status, headers, body } = refusal;
  const { message, code } = body === undefined ? {} : openAiError(body);
  // In OpenAI's own dialect the provider's answer is already what the client expects.
  if (openai && message !== undefined && body !== undefined && status >= 400 && !concernsOurAccount(status)) {
    const retryAfter = headerValue(headers, 'retry-after');
    return {
      status,
      headers: {
        'Content-Type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
      },
      body,
    };
  }
  return problemReply(describeRefusal(refusal, message, code), requestId, openai);
}

function describeRefusal({ status, headers }: UpstreamRefusal, message?: string, given?: string): VelloError {
  if (concernsOurAccount(status)) return new VelloError('UPSTREAM_FAILED', 'The AI provider refused our account.');
  const code =
    audioCode(status, given) ?? CODES[status] ?? (status >= 400 && status < 500 ? 'BAD_REQUEST' : 'UPSTREAM_FAILED');
  const isClients = status >= 400 && status < 500;
  const retryAfterSeconds = Number(headerValue(headers, 'retry-after'));
  const extras = retryAfterSeconds > 0 ? { retryAfterMs: retryAfterSeconds * 1000 } : {};
  return new VelloError(code, isClients ? message?.slice(0, 500) : undefined, extras);
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  404: 'NOT_FOUND',
  408: 'UPSTREAM_TIMEOUT',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  422: 'INVALID_FIELDS',
  429: 'RATE_LIMITED',
  503: 'UNAVAILABLE',
  504: 'UPSTREAM_TIMEOUT',
};

/** What our own engine says about a recording keeps its code: the client matches on it. */
function audioCode(status: number, given: string | undefined): ErrorCode | undefined {
  if (given?.startsWith('AUDIO_') !== true || !Object.hasOwn(ERRORS, given)) return undefined;
  const code = given as ErrorCode;
  return ERRORS[code].status === status ? code : undefined;
}

/** `error.message` and `error.code` of a body in OpenAI's shape. */
function openAiError(body: string): { readonly message?: string; readonly code?: string } {
  try {
    const parsed = JSON.parse(body) as {
      readonly error?: { readonly message?: unknown; readonly code?: unknown };
    } | null;
    const { message, code } = parsed?.error ?? {};
    return {
      ...(typeof message === 'string' ? { message } : {}),
      ...(typeof code === 'string' ? { code } : {}),
    };
  } catch {
    return {};
  }
}
