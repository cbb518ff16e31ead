/**
 * The answer on its way out: written as it comes, with what the socket did not take kept until it does. Announces a length
 * where the provider did, and ends so that a client can tell a complete answer from a broken one.
 */
import type { NativeResponse } from '../http/server/native-response.ts';
import { writeHead } from '../http/server/write-reply.ts';

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
  /** False means to wait for `onDrained`. What is kept of the chunk is a copy. */
  write(chunk: Buffer): boolean;
  /** What was written is as long as was announced. */
  readonly isWhole: boolean;
  /** Ends the answer, or cuts the connection where it is not whole. The last announced bytes leave with this and not before. */
  end(): void;
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
  /** The end of an announced answer: a client takes the answer for complete when it has these bytes. */
  let lastChunk: Buffer | undefined;
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
    waiting.unshift(Buffer.from(chunk.subarray(taken)));
    return false;
  };

  const cut = () => {
    if (over) return;
    over = true;
    response.close();
  };

  const writeOut = (chunk: Buffer): boolean => {
    let drained = true;
    response.cork(() => {
      if (!begun && head !== undefined) begin(head);
      if (head?.contentLength === undefined) drained = response.write(chunk);
      else if (waiting.length > 0) {
        waiting.push(Buffer.from(chunk));
        drained = false;
      } else drained = writeAnnounced(chunk);
    });
    return drained;
  };

  const isWhole = () => isHead || head?.contentLength === undefined || writtenBytes === head.contentLength;

  return {
    get isWhole() {
      return isWhole();
    },
    get begun() {
      return begun;
    },
    begin: (given) => (head = given),
    write: (chunk) => {
      if (over || chunk.length === 0) return true;
      writtenBytes += chunk.length;
      // More than was announced: it ends in a cut.
      if (lastChunk !== undefined) return true;
      if (writtenBytes === head?.contentLength) {
        lastChunk = Buffer.from(chunk);
        return true;
      }
      return writeOut(chunk);
    },
    end: () => {
      if (over) return;
      if (!isWhole()) {
        cut();
        return;
      }
      if (lastChunk !== undefined) {
        writeOut(lastChunk);
        return;
      }
      over = true;
      response.cork(() => {
        if (!begun && head !== undefined) begin(head);
        const bodiless = isHead || head?.status === 204 || head?.status === 304;
        if (bodiless) response.endWithoutBody(isHead ? head?.contentLength : undefined);
        else response.end();
      });
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
