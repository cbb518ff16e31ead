/** An answer with an error status, held until it is whole, because it is checked and reworded before a client sees it. */
import type { UpstreamHeaders } from '../../actors/ports/upstream.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ProblemReply } from '../http/problem.ts';
import { scrubText } from './key-scrubber.ts';
import { concernsOurAccount, replyToRefusal } from './upstream-refusal.ts';

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
  reply(requestId: string, openai: boolean, secret: string | undefined, nowMs: number): ProblemReply {
    const text = this.#text();
    const body = text === undefined ? undefined : scrubText(text, secret);
    return replyToRefusal({ status: this.#status, headers: this.#headers, body }, requestId, openai, nowMs);
  }

  /** Whether it says something about us and nothing about the request. */
  concernsOurAccount(): boolean {
    return concernsOurAccount(this.#status, this.#text());
  }

  #text(): string | undefined {
    return this.#bytes <= LIMITS.relay.errorBodyBytes ? Buffer.concat(this.#chunks).toString('utf8') : undefined;
  }
}
