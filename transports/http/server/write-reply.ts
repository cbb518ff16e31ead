/** Writes an answer over a native response: whole, as a stream with backpressure, to HEAD, or as the last of its connection. */
import type { NativeResponse } from './native-response.ts';

/** Carries the id of the request. What a caller sends under it is never adopted: it would let callers forge our logs. */
export const REQUEST_ID_HEADER = 'X-Request-Id';

export type Headers = Readonly<Record<string, string>>;
export interface WholeReply {
  readonly status: number;
  readonly headers?: Headers;
  readonly body?: string | Buffer | object;
}
export interface StreamReply {
  readonly status: number;
  readonly headers?: Headers;
  readonly stream: AsyncIterable<string | Uint8Array>;
}

/** Only inside `cork`, once per answer. */
export function writeHead(response: NativeResponse, status: number, headers: Headers): void {
  response.writeStatus(status);
  writeHeaders(response, headers);
  if (response.everyHead !== undefined) writeHeaders(response, response.everyHead);
}

function writeHeaders(response: NativeResponse, headers: Headers): void {
  // Records of ours inherit nothing, and `Object.entries` would make a list for each header.
  for (const name in headers) response.writeHeader(name, headers[name] ?? '');
}

/**
 * Native code ends a connection that is idle for 8 to 12 s. Who is told reuses none that may end under his next request: Node.js, which has no
 * bound of its own where keep-alive is asked for. What passes from a provider goes without, since each header costs.
 */
const KEPT: Headers = { 'Keep-Alive': 'timeout=7' };

const headOf = (response: NativeResponse, requestId: string): Headers => ({
  [REQUEST_ID_HEADER]: requestId,
  ...(response.isLast ? {} : KEPT),
});

/** `isHead` sends the length of the body and no byte of it (RFC 9110 §9.3.2). */
export function writeWhole(response: NativeResponse, requestId: string, reply: WholeReply, isHead = false): void {
  const { body } = reply;
  const encoded =
    body === undefined || typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body);
  const type: Headers = encoded === body ? {} : { 'Content-Type': 'application/json' };
  response.cork(() => {
    writeHead(response, reply.status, { ...headOf(response, requestId), ...type, ...reply.headers });
    if (encoded === undefined) response.endWithoutBody(reply.status === 204 || reply.status === 304 ? undefined : 0);
    else if (isHead) response.endWithoutBody(Buffer.byteLength(encoded));
    else response.end(encoded);
  });
}

/** uWebSockets.js gathers this much of what one callback writes, and closes a connection only after what exceeds it. */
const CORK_BUFFER_BYTES = 16 * 1024;

/**
 * Answers and closes before the rest of the packet is read: where two readers could disagree about the end of a request, nothing that
 * follows it can be trusted. The blanks (which JSON permits) force the answer out; without them the next request would be served first.
 * Only within the callback that delivered the request.
 */
export function writeLast(
  response: NativeResponse,
  requestId: string,
  reply: { readonly status: number; readonly headers: Headers; readonly body: string },
): void {
  response.cork(() => {
    writeHead(response, reply.status, { [REQUEST_ID_HEADER]: requestId, ...reply.headers });
    response.end(reply.body.padEnd(CORK_BUFFER_BYTES + reply.body.length), true);
  });
}

/**
 * `isHead` sends the head alone, and asks the stream for nothing.
 * @throws what the stream throws: as an ordinary failure before the first chunk, after the connection was cut later.
 */
export async function writeStream(
  response: NativeResponse,
  requestId: string,
  reply: StreamReply,
  isHead = false,
): Promise<void> {
  if (isHead) {
    response.cork(() => {
      writeHead(response, reply.status, { ...headOf(response, requestId), ...reply.headers });
      response.endWithoutBody();
    });
    await reply.stream[Symbol.asyncIterator]().return?.();
    return;
  }
  let wake: (() => void) | undefined;
  response.onWritable(() => {
    wake?.();
    return true;
  });
  // Asked through a call: the compiler cannot know that it changes while a chunk is awaited.
  const isOver = () => response.isOver;
  const source = reply.stream[Symbol.asyncIterator]();
  // The first chunk is awaited before the status is sent, so that a failure up to there is still an ordinary error answer.
  let next = await source.next();
  const first = next;
  response.cork(() => {
    writeHead(response, reply.status, { ...headOf(response, requestId), ...reply.headers });
    if (first.done !== true) response.write(first.value);
  });
  try {
    while (next.done !== true && !isOver()) {
      next = await source.next();
      if (next.done === true) continue;
      const chunk = next.value;
      const sent = { drained: true };
      response.cork(() => (sent.drained = response.write(chunk)));
      if (!sent.drained && !isOver()) await new Promise<void>((resolve) => response.onceFree((wake = resolve)));
    }
  } catch (error) {
    // The status is out: cutting the connection is the only honest way left to say that the answer is incomplete.
    response.close();
    throw error;
  }
  if (isOver()) await source.return?.();
  else response.cork(() => response.end());
}
