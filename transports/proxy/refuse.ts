/**
 * Answers a request whose body may still be arriving. Closing at once would reset the connection and often take the answer
 * with it, so the rest of the body is read and thrown away, up to a bound.
 */
import type { HttpResponse as UwsResponse } from 'uWebSockets.js';
import type { Clock } from '../../actors/ports/clock.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Framing } from '../http/framing.ts';
import type { ProblemReply } from '../http/problem.ts';
import type { Upload } from './upload.ts';
import { writeHead } from './write-head.ts';

/** Sends `reply`, which must have a body. `upload` is not touched by the caller afterwards. */
export function refuse(
  response: UwsResponse,
  upload: Upload,
  framing: Framing,
  reply: ProblemReply,
  clock: Clock,
): void {
  const comingBytes = framing.contentLength === undefined ? Infinity : framing.contentLength - upload.receivedBytes;
  if (upload.complete || comingBytes <= LIMITS.relay.discardBytes) {
    // uWebSockets.js itself reads what is announced and throws it away; the connection stays usable.
    upload.discard();
    response.cork(() => {
      writeHead(response, reply.status, reply.headers);
      response.end(reply.body);
    });
    upload.release();
    return;
  }
  // The body goes out now and its end later: while the answer is incomplete the connection is ours to watch and to close.
  const finish = (close: boolean) => {
    timer.cancel();
    upload.release();
    response.cork(() => {
      response.end(undefined, close);
    });
  };
  const timer = clock.setTimer(LIMITS.relay.discardMs, () => finish(true));
  const until = upload.receivedBytes + LIMITS.relay.discardUnannouncedBytes;
  response.onAborted(() => {
    timer.cancel();
    upload.release();
  });
  upload.discard((isLast) => {
    if (isLast || upload.receivedBytes > until) finish(!isLast);
  });
  response.cork(() => {
    writeHead(response, reply.status, reply.headers);
    response.write(reply.body);
  });
}
