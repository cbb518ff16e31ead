/** What the SDK throws: one class, told apart by `code`. */

/** Codes of the SDK's own; every other code is the server's (contract §2). */
export type LocalCode =
  /** No answer of the server: the connection could not be made or broke, or something on the way answered in its place. */
  | 'NETWORK'
  /** No answer within the time allowed. */
  | 'TIMEOUT'
  /** An answer that this version of the SDK does not understand. */
  | 'PROTOCOL'
  /** The key file cannot be used. */
  | 'KEY_FILE'
  /** The client or connection was closed while this was under way. */
  | 'CLOSED'
  /** Another process took over this device's session. */
  | 'REPLACED';

export interface ClientErrorDetails {
  /** HTTP status; 0 where there was no HTTP answer. */
  readonly status?: number;
  readonly retryable?: boolean;
  /** How long the server asked us to wait, where it did. */
  readonly retryAfterMs?: number;
  /** `X-Request-Id` of the answer: what support asks for. */
  readonly requestId?: string;
  /** The server's clock (ISO 8601), where the refusal is about time. */
  readonly serverTime?: string;
  readonly cause?: unknown;
}

export class ClientError extends Error {
  /** Stable; match on this, never on the message. */
  readonly code: string;
  readonly status: number;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  readonly serverTime: string | undefined;

  constructor(code: string, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ClientError';
    this.code = code;
    this.status = details.status ?? 0;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    this.serverTime = details.serverTime;
  }
}

/** An error that the SDK itself raises. */
export function localError(code: LocalCode, message: string, cause?: unknown): ClientError {
  return new ClientError(code, message, { retryable: code === 'NETWORK' || code === 'TIMEOUT', cause });
}

interface Problem {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly message?: unknown;
  readonly title?: unknown;
  readonly server_time?: unknown;
  readonly errors?: unknown;
}

type Header = (name: string) => string | null;

/** Every answer of ours has an id; that of a captive portal, a proxy or whoever else sits on the way has none. */
export const isFromServer = (header: Header): boolean => header('x-request-id') !== null;

/** What answered is not the server. Says nothing about us, so that trying again may help. */
export const foreignAnswer = (status: number, cause?: unknown): ClientError =>
  localError('NETWORK', `Something else than the server answered (${status}): a captive portal or a proxy?`, cause);

/**
 * The error that a refusal over HTTP stands for: a problem document (RFC 9457) with a code and a request id is the server's verdict,
 * anything else is the network's doing.
 */
export function errorFromAnswer(status: number, header: Header, body: string): ClientError {
  const problem = readProblem(body);
  const isProblem = header('content-type')?.startsWith('application/problem+json') === true;
  if (!isProblem || !isFromServer(header) || typeof problem.code !== 'string') return foreignAnswer(status);
  return errorFromProblem(status, header, problem, problem.code);
}

/** The error that ended a stream which the server had begun, in OpenAI's error shape. */
export function errorFromEvent(header: Header, data: string): ClientError {
  const problem = readProblem(data);
  return errorFromProblem(502, header, problem, typeof problem.code === 'string' ? problem.code : 'UPSTREAM_FAILED');
}

function errorFromProblem(status: number, header: Header, problem: Problem, code: string): ClientError {
  const retryAfterSeconds = Number(header('retry-after') ?? Number.NaN);
  const requestId = header('x-request-id');
  const message = [problem.detail, problem.message, problem.title].find((part) => typeof part === 'string');
  return new ClientError(code, [message ?? `The server answered ${status}.`, ...fieldProblems(problem)].join(' '), {
    status,
    retryable: status === 429 || status >= 500,
    ...(Number.isFinite(retryAfterSeconds) ? { retryAfterMs: retryAfterSeconds * 1000 } : {}),
    ...(requestId === null ? {} : { requestId }),
    ...(typeof problem.server_time === 'string' ? { serverTime: problem.server_time } : {}),
  });
}

/** What is wrong with which field of the request. */
function fieldProblems({ errors }: Problem): readonly string[] {
  if (!Array.isArray(errors)) return [];
  const told = errors as readonly ({ readonly field?: unknown; readonly problem?: unknown } | null)[];
  return told.flatMap((each) =>
    typeof each?.field === 'string' && typeof each.problem === 'string' ? [`${each.field}: ${each.problem}.`] : [],
  );
}

function readProblem(body: string): Problem {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null) return {};
    const inner: unknown = 'error' in parsed ? parsed.error : parsed;
    return typeof inner === 'object' && inner !== null ? inner : {};
  } catch {
    return {};
  }
}
