/** An error as a response: `application/problem+json` (RFC 9457, contract §2), OpenAI's error shape on `/v1/*`. The only place where stacks and causes are dropped. */
import { VelloError } from '../../../config/errors.ts';
import { isStoreOutage } from './store-outage.ts';

export interface ProblemReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What failed, as a `VelloError`: a store that is away is `UNAVAILABLE`, anything unforeseen `INTERNAL`. Both keep the original as their cause. */
export function toVelloError(error: unknown): VelloError {
  if (error instanceof VelloError) return error;
  if (isStoreOutage(error)) return new VelloError('UNAVAILABLE', undefined, { cause: error, retryAfterMs: 1000 });
  return new VelloError('INTERNAL', undefined, { cause: error });
}

export function problemReply(error: VelloError, requestId: string, openai: boolean): ProblemReply {
  const headers: Record<string, string> = {
    'Content-Type': openai ? 'application/json' : 'application/problem+json',
  };
  const { retryAfterMs, fields, members } = error.extras;
  // A 429 without it would be repeated at once.
  const waitMs = retryAfterMs ?? (error.status === 429 ? 1000 : undefined);
  if (waitMs !== undefined) headers['Retry-After'] = String(Math.max(1, Math.ceil(waitMs / 1000)));
  if (error.status === 401) headers['WWW-Authenticate'] = 'Bearer';
  const body = openai
    ? {
        error: {
          message: error.detail,
          type: openaiType(error.status),
          param: fields?.[0]?.field ?? null,
          code: error.code,
          request_id: requestId,
        },
      }
    : {
        type: `urn:vello:error:${error.code.toLowerCase()}`,
        title: error.title,
        status: error.status,
        code: error.code,
        detail: error.detail,
        request_id: requestId,
        ...(fields === undefined ? {} : { errors: fields }),
        ...members,
      };
  return { status: error.status, headers, body: JSON.stringify(body) };
}

function openaiType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 402) return 'insufficient_quota';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}
