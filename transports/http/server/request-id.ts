/** Ids of requests: UUIDv7 (RFC 9562), so that they sort by time in logs. */
import { newId } from '../../../actors/identity/new-id.ts';

export const HEADER = 'X-Request-Id';

/** A fresh id. What a caller sends under the same header is never adopted: it would let callers forge our logs. */
export function newRequestId(): string {
  return newId();
}
