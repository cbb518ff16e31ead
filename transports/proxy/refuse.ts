/**
 * Answers a request whose body may still be arriving. Closing at once would reset the connection and often take the answer with it, so
 * what comes is read and thrown away until the client pauses or a bound is reached; then the answer leaves, whole, and the connection ends.
 * A client that waits for a go-ahead (`Expect: 100-continue`) gets it from native code, but in one packet with a refusal that is ready then.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import { LIMITS } from '../../config/limits.ts';
import type { NativeResponse } from '../http/server/native-response.ts';
import type { ProblemReply } from '../http/server/problem.ts';
import { writeHead } from '../http/server/write-reply.ts';
import type { RelayRequest } from './relay-request.ts';
import type { Upload } from './upload.ts';

/** Sends `reply`, which must have a body. `upload` is not touched by the caller afterwards. */
export function refuse(
  response: NativeResponse,
  upload: Upload,
  { framing, method, header }: Pick<RelayRequest, 'framing' | 'header' | 'method'>,
  reply: ProblemReply,
  clock: Clock,
): void {
  const { discardBytes, discardUnannouncedBytes, discardMs, discardQuietMs } = LIMITS.relay;
  const answer = (close: boolean) => {
    upload.discard(() => undefined);
    response.cork(() => {
      writeHead(response, reply.status, reply.headers);
      if (method === 'HEAD') response.endWithoutBody(Buffer.byteLength(reply.body));
      else response.end(reply.body, close);
    });
  };
  if (response.isFirstTurn && header('expect') !== '' && !upload.complete) {
    // Nothing of the body is under way, and whoever reads this need not send it: where its next request begins, nobody could tell.
    answer(true);
    return;
  }
  const comingBytes = framing.contentLength === undefined ? Infinity : framing.contentLength - upload.receivedBytes;
  const isKept = !/\bclose\b/i.test(header('connection'));
  if (upload.complete || (isKept && comingBytes <= discardBytes)) {
    // uWebSockets.js itself reads what is announced and throws it away; the connection stays usable, where its client did not ask for the end.
    answer(false);
    return;
  }
  const settle = (close: boolean) => {
    deadline.cancel();
    quiet.cancel();
    answer(close);
  };
  const settleAndClose = () => response.guard(() => settle(true));
  const deadline = clock.setTimer(discardMs, settleAndClose);
  const pauseTimer = () => clock.setTimer(discardQuietMs, settleAndClose);
  let quiet = pauseTimer();
  const until = upload.receivedBytes + discardUnannouncedBytes;
  response.onAborted(() => {
    deadline.cancel();
    quiet.cancel();
  });
  upload.discard((isLast) => {
    if (isLast || upload.receivedBytes > until) settle(!isLast);
    else {
      quiet.cancel();
      quiet = pauseTimer();
    }
  });
}
