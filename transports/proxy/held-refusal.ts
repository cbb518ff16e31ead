/** An answer with an error status, held until it is whole, because it is checked and reworded before a client sees it. */
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ProblemReply } from '../http/server/problem.ts';
import type { ProviderKey } from '../../actors/relay/provider-key.ts';
import type { ExchangeWorld } from './exchange-world.ts';
import { scrubText } from './key-scrubber.ts';
import { speaksOpenAi, type RelayRequest } from './relay-request.ts';
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
    if (this.#bytes <= LIMITS.relay.errorBodyBytes) this.#chunks.push(Buffer.from(chunk));
  }

  /**
   * What the client is told; of a body over the bound, nothing is repeated. The key is taken out of the rest. What says something about us
   * and nothing about the request goes to the log.
   */
  reply(
    { requestId, route }: Pick<RelayRequest, 'requestId' | 'route'>,
    key: ProviderKey | undefined,
    { clock, log }: Pick<ExchangeWorld, 'clock' | 'log'>,
  ): ProblemReply {
    const status = this.#status;
    const isHeld = this.#bytes <= LIMITS.relay.errorBodyBytes;
    const text = isHeld ? Buffer.concat(this.#chunks).toString('utf8') : undefined;
    if (concernsOurAccount(status, text)) {
      log.error('the provider refused our account', { requestId, status, keyId: key?.id });
    }
    const body = text === undefined ? undefined : scrubText(text, key?.reveal());
    return replyToRefusal({ status, headers: this.#headers, body }, requestId, speaksOpenAi(route), clock.now());
  }
}
