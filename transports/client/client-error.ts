/** What the SDK throws: one class, told apart by `code`. */

/** Codes of the SDK's own; every other code is the server's (contract §2). */
export type LocalCode =
  /** No answer: the connection could not be made, or broke. */
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

  constructor(code: string, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ClientError';
    this.code = code;
    this.status = details.status ?? 0;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
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
}

/** The error that an HTTP answer stands for, from its problem document (RFC 9457) or from OpenAI's error shape. */
export function errorFromAnswer(status: number, header: (name: string) => string | null, body: string): ClientError {
  const problem = readProblem(body);
  const retryAfterSeconds = Number(header('retry-after') ?? Number.NaN);
  const requestId = header('x-request-id');
  const code = typeof problem.code === 'string' ? problem.code : `HTTP_${status}`;
  const message = [problem.detail, problem.message, problem.title].find((part) => typeof part === 'string');
  return new ClientError(code, message ?? `The server answered ${status}.`, {
    status,
    retryable: status === 429 || status >= 500,
    ...(Number.isFinite(retryAfterSeconds) ? { retryAfterMs: retryAfterSeconds * 1000 } : {}),
    ...(requestId === null ? {} : { requestId }),
  });
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
