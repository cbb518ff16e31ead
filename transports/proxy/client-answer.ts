/**
 * The answer on its way out: written as it comes, with what the socket did not take kept until it does. Announces a length
 * where the provider did, and ends so that a client can tell a complete answer from a broken one.
 */
import type { NativeResponse } from '../http/native-response.ts';
import { writeHead } from '../http/write-reply.ts';

export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As the provider announced it; `undefined` makes the answer chunked. */
  readonly contentLength: number | undefined;
}

export interface ClientAnswer {
  /** Something has been sent, so that the status can no longer be changed. */
  readonly begun: boolean;
  /** Holds the head back until there is a byte to go with it: both leave in one packet. */
  begin(head: AnswerHead): void;
  /** False means to wait for `onDrained`. */
  write(chunk: Buffer): boolean;
  /** Ends the answer; false when it fell short of its announced length and the connection was cut instead. */
  end(): boolean;
  /** Closes the connection, which tells the client that the answer is incomplete. */
  cut(): void;
  /** The connection is gone: the response must not be touched again. */
  release(): void;
}

/** `isHead`: the answer to HEAD, which announces a length and has no body (RFC 9110 §9.3.2). */
export function createClientAnswer(response: NativeResponse, isHead: boolean, onDrained: () => void): ClientAnswer {
  let head: AnswerHead | undefined;
  let begun = false;
  let over = false;
  let writtenBytes = 0;
  /** The part of an announced answer that the socket has not taken; never more than the provider sent before it was paused. */
  let waiting: Buffer[] = [];

  response.onWritable(() => {
    if (over) return true;
    while (waiting.length > 0) {
      const chunk = waiting.shift();
      if (chunk !== undefined && !writeAnnounced(chunk)) return false;
      if (isSet(over)) return true;
    }
    onDrained();
    return true;
  });

  const begin = ({ status, headers }: Omit<AnswerHead, 'contentLength'>) => {
    begun = true;
    writeHead(response, status, headers);
  };

  /** False when a part of it had to be put back. */
  const writeAnnounced = (chunk: Buffer): boolean => {
    const total = head?.contentLength ?? 0;
    const before = response.writeOffset();
    const [ok, done] = response.tryEnd(chunk, total);
    if (done) {
      over = true;
      return true;
    }
    if (ok) return true;
    const taken = response.writeOffset() - before;
    waiting.unshift(chunk.subarray(taken));
    return false;
  };

  const cut = () => {
    if (over) return;
    over = true;
    response.close();
  };

  return {
    get begun() {
      return begun;
    },
    begin: (given) => (head = given),
    write: (chunk) => {
      if (over || chunk.length === 0) return true;
      writtenBytes += chunk.length;
      let drained = true;
      response.cork(() => {
        if (!begun && head !== undefined) begin(head);
        if (head?.contentLength === undefined) drained = response.write(chunk);
        else if (waiting.length > 0) {
          waiting.push(chunk);
          drained = false;
        } else drained = writeAnnounced(chunk);
      });
      return drained;
    },
    end: () => {
      if (over) return true;
      if (!isHead && head?.contentLength !== undefined && writtenBytes !== head.contentLength) {
        cut();
        return false;
      }
      // The last announced bytes still wait for the socket and end the answer themselves.
      if (waiting.length > 0) return true;
      over = true;
      response.cork(() => {
        if (!begun && head !== undefined) begin(head);
        const bodiless = isHead || head?.status === 204 || head?.status === 304;
        if (bodiless) response.endWithoutBody(isHead ? head?.contentLength : undefined);
        else response.end();
      });
      return true;
    },
    cut,
    release: () => {
      over = true;
      waiting = [];
    },
  };
}

/** Asked through a call: the compiler cannot know that a write may end the answer. */
function isSet(flag: boolean): boolean {
  return flag;
}
