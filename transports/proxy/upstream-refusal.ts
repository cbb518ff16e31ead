/**
 * What a client is told when the provider answers with an error. Its own mistakes reach it in the provider's words; what
 * concerns our account does not: there it would read the provider's 401 as its own and throw a good token away.
 */
import { ERRORS, VelloError, type ErrorCode } from '../../config/errors.ts';
import { problemReply, type ProblemReply } from '../http/server/problem.ts';
import { headerValue } from './header-policy.ts';
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';

export interface UpstreamRefusal {
  readonly status: number;
  readonly headers: UpstreamHeaders;
  /** The first part of the body, free of the provider's key; `undefined` when it was larger than we hold. */
  readonly body: string | undefined;
}

/** Whether an error says something about us and nothing about the request. Without a body, as far as its status tells. */
export function concernsOurAccount(status: number, body = ''): boolean {
  if (status === 401 || status === 402 || status === 403 || status === 407) return true;
  const { code = '', type = '' } = openAiError(body);
  return OUR_ACCOUNT_CODES.test(`${code} ${type}`);
}

/** Whether an error says that the request itself cannot be served, such as an unreadable file: no failure of the provider. */
export function concernsTheRequest(status: number): boolean {
  return [400, 404, 406, 410, 411, 413, 414, 415, 416, 422, 431].includes(status);
}

/** `nowMs` in unix milliseconds, for a time to retry at that is given as a date. */
export function replyToRefusal(
  refusal: UpstreamRefusal,
  requestId: string,
  openai: boolean,
  nowMs: number,
): ProblemReply {
  const { status, headers, body } = refusal;
  const message = messageForClients(refusal);
  // In OpenAI's own dialect the provider's answer is already what the client expects.
  if (openai && message !== undefined && body !== undefined) {
    const retryAfterMs = readRetryAfterMs(headers, nowMs);
    const retry =
      retryAfterMs === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) };
    const said = withoutIds(body).replace(REQUEST_ID, (_, lead: string) => lead + JSON.stringify(requestId));
    return { status, headers: { 'Content-Type': 'application/json', ...retry }, body: said };
  }
  return problemReply(describeRefusal(refusal, message, nowMs), requestId, openai);
}

/** The same as an error, for where there is no reply. */
export function errorOfRefusal(refusal: UpstreamRefusal, nowMs: number): VelloError {
  return describeRefusal(refusal, messageForClients(refusal), nowMs);
}

function describeRefusal(refusal: UpstreamRefusal, message: string | undefined, nowMs: number): VelloError {
  const { status, headers, body = '' } = refusal;
  if (concernsOurAccount(status, body)) {
    return new VelloError('UPSTREAM_FAILED', 'The AI provider refused our account.');
  }
  const isClients = status >= 400 && status < 500;
  const code =
    engineCode(status, openAiError(body).code) ?? CODES[status] ?? (isClients ? 'BAD_REQUEST' : 'UPSTREAM_FAILED');
  const retryAfterMs = readRetryAfterMs(headers, nowMs);
  const extras = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new VelloError(code, isClients ? message?.slice(0, 500) : undefined, extras);
}

/** What the provider says about the request; `undefined` where it speaks of us, as every rate limit does. */
function messageForClients({ status, body }: UpstreamRefusal): string | undefined {
  if (body === undefined || status < 400 || status === 429 || concernsOurAccount(status, body)) return undefined;
  const { message } = openAiError(body);
  return message === undefined || OUR_ACCOUNT_WORDS.test(body) ? undefined : withoutIds(message);
}

const OUR_ACCOUNT_CODES = /quota|billing|api_key|organization|access_terminated|account_deactivated/;
const OUR_ACCOUNT_WORDS =
  /\b(quota|billing|organi[sz]ations?|your (account|project|plan|subscription|api key)|credit balance)\b/i;

/** Of the provider's own log, as our engine names it: ours is what a client can give us. Quotes inside of a JSON string are escaped. */
const REQUEST_ID = /("request_id"\s*:\s*)"[^"\\]*"/g;

/** Names of organisations, projects, users and keys, as OpenAI forms them. */
const withoutIds = (text: string): string =>
  text.replaceAll(/\b(?:org|proj|user|sk|key|acct)[-_][A-Za-z0-9_-]{6,}/g, '***');

/** From `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), or OpenAI's header in milliseconds. */
function readRetryAfterMs(headers: UpstreamHeaders, nowMs: number): number | undefined {
  const finer = headerValue(headers, 'retry-after-ms')?.trim() ?? '';
  if (NUMBER.test(finer)) return bounded(Number(finer));
  const given = headerValue(headers, 'retry-after')?.trim() ?? '';
  if (NUMBER.test(given)) return bounded(Number(given) * 1000);
  const dateMs = /[a-z]{3}/i.test(given) ? Date.parse(given) : NaN;
  return Number.isNaN(dateMs) ? undefined : bounded(dateMs - nowMs);
}

const NUMBER = /^\d+(\.\d+)?$/;

/** A day: beyond it a client had better ask anew. */
const bounded = (ms: number): number => Math.min(86_400_000, Math.max(0, ms));

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

/** What our own engine says about a recording or a model keeps its code: the client matches on it. */
function engineCode(status: number, given = ''): ErrorCode | undefined {
  if (!/^(AUDIO_|MODEL_NOT_FOUND$)/.test(given) || !Object.hasOwn(ERRORS, given)) return undefined;
  const code = given as ErrorCode;
  return ERRORS[code].status === status ? code : undefined;
}

/** The texts of a body in OpenAI's shape. */
function openAiError(body: string): { readonly message?: string; readonly code?: string; readonly type?: string } {
  try {
    const parsed = JSON.parse(body) as { readonly error?: Readonly<Record<string, unknown>> } | null;
    const { message, code, type } = parsed?.error ?? {};
    return {
      ...(typeof message === 'string' ? { message } : {}),
      ...(typeof code === 'string' ? { code } : {}),
      ...(typeof type === 'string' ? { type } : {}),
    };
  } catch {
    return {};
  }
}
