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

export class ClientAnswer {
  readonly #response: NativeResponse;
  readonly #isHead: boolean;
  readonly #onDrained: () => void;
  #head: AnswerHead | undefined;
  #begun = false;
  #over = false;
  #writtenBytes = 0;
  /** The end of an announced answer: a client takes the answer for complete when it has these bytes. */
  #lastChunk: Buffer | undefined;
  /** The part of an announced answer that the socket has not taken; never more than the provider sent before it was paused. */
  #waiting: Buffer[] = [];
  #takenBytes = 0;
  #hearsOfSpace = false;

  /** `isHead`: the answer to HEAD, which announces a length and has no body (RFC 9110 §9.3.2). */
  constructor(response: NativeResponse, isHead: boolean, onDrained: () => void) {
    this.#response = response;
    this.#isHead = isHead;
    this.#onDrained = onDrained;
  }

  /** Something has been sent, so that the status can no longer be changed. */
  get begun(): boolean {
    return this.#begun;
  }

  /** What was written is as long as was announced. */
  get isWhole(): boolean {
    const announced = this.#head?.contentLength;
    return this.#isHead || announced === undefined || this.#writtenBytes === announced;
  }

  /** Holds the head back until there is a byte to go with it: both leave in one packet. */
  begin(head: AnswerHead): void {
    this.#head = head;
  }

  /** False means to wait for `onDrained`. What is kept of the chunk is a copy. */
  write(chunk: Buffer): boolean {
    if (this.#over || chunk.length === 0) return true;
    this.#writtenBytes += chunk.length;
    // More than was announced: it ends in a cut.
    if (this.#lastChunk !== undefined) return true;
    if (this.#writtenBytes === this.#head?.contentLength) {
      this.#lastChunk = Buffer.from(chunk);
      return true;
    }
    return this.#writeOut(chunk);
  }

  /** Ends the answer, or cuts the connection where it is not whole. The last announced bytes leave with this and not before. */
  end(): void {
    if (this.#over) return;
    if (!this.isWhole) this.cut();
    else if (this.#lastChunk !== undefined) this.#writeOut(this.#lastChunk);
    else {
      this.#over = true;
      this.#response.cork(() => this.#endEmpty());
    }
  }

  /** Closes the connection, which tells the client that the answer is incomplete. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#response.close();
  }

  /** The connection is gone: the response must not be touched again. */
  release(): void {
    this.#over = true;
    this.#waiting = [];
  }

  #writeOut(chunk: Buffer): boolean {
    const sent = { isDrained: true };
    this.#response.cork(() => {
      this.#writeHead();
      sent.isDrained = this.#writeBody(chunk);
    });
    if (!sent.isDrained) this.#waitForSpace();
    return sent.isDrained;
  }

  #writeBody(chunk: Buffer): boolean {
    const total = this.#head?.contentLength;
    if (total === undefined) return this.#response.write(chunk);
    if (this.#waiting.length === 0) return this.#writeAnnounced(chunk, total);
    this.#waiting.push(Buffer.from(chunk));
    return false;
  }

  #writeHead(): void {
    if (this.#begun || this.#head === undefined) return;
    this.#begun = true;
    writeHead(this.#response, this.#head.status, this.#head.headers);
  }

  /** False when a part of it had to be put back. */
  #writeAnnounced(chunk: Buffer, total: number): boolean {
    const [ok, done] = this.#response.tryEnd(chunk, total);
    if (done) this.#over = true;
    else if (ok) this.#takenBytes += chunk.length;
    else {
      const taken = this.#response.writeOffset() - this.#takenBytes;
      this.#takenBytes += taken;
      this.#waiting.unshift(Buffer.from(chunk.subarray(taken)));
      return false;
    }
    return true;
  }

  #waitForSpace(): void {
    if (this.#hearsOfSpace) return;
    this.#hearsOfSpace = true;
    this.#response.onWritable(() => this.#onSpace());
  }

  #onSpace(): boolean {
    while (!this.#over && this.#waiting.length > 0) {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined && !this.#writeAnnounced(chunk, this.#head?.contentLength ?? 0)) return false;
    }
    if (!this.#over) this.#onDrained();
    return true;
  }

  #endEmpty(): void {
    this.#writeHead();
    const isBodiless = this.#isHead || this.#head?.status === 204 || this.#head?.status === 304;
    if (!isBodiless) this.#response.end();
    else if (this.#isHead) this.#response.endWithoutBody(this.#head?.contentLength);
    else this.#response.endWithoutBody();
  }
}
