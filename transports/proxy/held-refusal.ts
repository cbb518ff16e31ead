/** An answer with an error status, held until it is whole, because it is checked and reworded before a client sees it. */
import type { UpstreamHeaders } from '../../actors/ports/upstream.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ProblemReply } from '../http/problem.ts';
import { scrubText } from './key-scrubber.ts';
import { replyToRefusal } from './upstream-refusal.ts';

export class HeldRefusal {
  readonly #status: number;
  readonly #headers: UpstreamHeaders;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(status: number, headers: UpstreamHeaders) {
    this.#status = status;
    this.#headers = headers;
  }

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= LIMITS.relay.errorBodyBytes) this.#chunks.push(chunk);
  }

  /** What the client is told; of a body over the bound, nothing is repeated. `secret` is taken out of the rest. */
  reply(requestId: string, openai: boolean, secret: string | undefined): ProblemReply {
    const isWhole = this.#bytes <= LIMITS.relay.errorBodyBytes;
    const body = isWhole ? scrubText(Buffer.concat(this.#chunks).toString('utf8'), secret) : undefined;
    return replyToRefusal({ status: this.#status, headers: this.#headers, body }, requestId, openai);
  }
}
