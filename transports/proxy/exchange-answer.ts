/**
 * What the client of one exchange is answered: the provider's answer as it passes, the provider's refusal once it has been held and reworded, or
 * a reply of our own. When which of them is due is decided by the exchange; how bytes wait for the socket, in `client-answer.ts`.
 */
import type { AnswerSummary } from '../../actors/metering/answer-reader.ts';
import type { Outcome } from '../../actors/events/usage-event.ts';
import type { UpstreamHeaders } from '../../actors/relay/upstream.ts';
import type { VelloError } from '../../config/errors.ts';
import type { NativeResponse } from '../http/server/native-response.ts';
import { problemReply, type ProblemReply } from '../http/server/problem.ts';
import { ClientAnswer } from './client-answer.ts';
import type { ExchangeWorld } from './exchange-world.ts';
import { ownHeaders } from './header-policy.ts';
import { HeldRefusal } from './held-refusal.ts';
import { PassingAnswer } from './passing-answer.ts';
import type { ProviderLeg } from './provider-leg.ts';
import { refuse } from './refuse.ts';
import { speaksOpenAi, type RelayRequest } from './relay-request.ts';
import type { Upload } from './upload.ts';
import { concernsTheRequest } from './upstream-refusal.ts';

/** How an answer ends: what the event calls it, and what leaves once that event is durable. */
export interface AnswerEnd {
  readonly outcome: Outcome;
  readonly send: () => void;
}

const nothing = (): void => undefined;

export class ExchangeAnswer {
  readonly #world: ExchangeWorld;
  readonly #response: NativeResponse;
  readonly #request: RelayRequest;
  readonly #upload: Upload;
  readonly #client: ClientAnswer;
  /** The client's session, told with every answer once it is known. */
  sessionId = '';
  /** The prompt that was put into the request, the same way. */
  prompt = '';
  #status = 0;
  #bytesOut = 0;
  #clientLeft = false;
  #passing: PassingAnswer | undefined;
  #refusal: HeldRefusal | undefined;

  /** `onDrained`: what could not be written is on its way. */
  constructor(
    world: ExchangeWorld,
    response: NativeResponse,
    request: RelayRequest,
    upload: Upload,
    onDrained: () => void,
  ) {
    this.#world = world;
    this.#response = response;
    this.#request = request;
    this.#upload = upload;
    this.#client = new ClientAnswer(response, request.method === 'HEAD', onDrained);
  }

  /** What the client got, or would have got; 0 before there was one. */
  get status(): number {
    return this.#status;
  }

  get bytesOut(): number {
    return this.#bytesOut;
  }

  get clientLeft(): boolean {
    return this.#clientLeft;
  }

  /** Something has been sent, so that the status can no longer be changed. */
  get begun(): boolean {
    return this.#client.begun;
  }

  /** The provider has answered. */
  get hasHead(): boolean {
    return this.#passing !== undefined || this.#refusal !== undefined;
  }

  /** The provider answers with an error. */
  get isRefusal(): boolean {
    return this.#refusal !== undefined;
  }

  summary(): AnswerSummary | undefined {
    return this.#passing?.summary();
  }

  /** The provider answers: its bytes follow. */
  begin(status: number, headers: UpstreamHeaders, leg: ProviderLeg): void {
    this.#status = status;
    if (status >= 300) {
      // The provider wants no more of it: what is still coming is read and thrown away.
      this.#upload.discard();
      this.#refusal = new HeldRefusal(status, headers);
      return;
    }
    this.#passing = new PassingAnswer({
      kind: this.#request.route.answer,
      status,
      headers,
      toClient: this.#ownHeaders(),
      key: leg.key,
      withholdsUsage: leg.asksForUsage,
    });
    this.#client.begin(this.#passing.head);
  }

  /** Takes the provider's next bytes. False means to wait for `onDrained`. */
  pass(chunk: Buffer): boolean {
    if (this.#refusal !== undefined) {
      this.#refusal.push(chunk);
      return true;
    }
    return this.#passing === undefined || this.#write(this.#passing.pass(chunk));
  }

  /** Takes them for the event alone: nobody is there to get them. */
  read(chunk: Buffer): void {
    if (this.#refusal !== undefined) this.#refusal.push(chunk);
    else this.#passing?.read(chunk);
  }

  /** The provider's answer is complete. */
  end(leg: ProviderLeg): AnswerEnd {
    if (this.#refusal !== undefined) {
      const outcome = concernsTheRequest(this.#status) ? 'ok' : 'upstream_error';
      return { outcome, send: this.#reply(this.#refusal.reply(this.#request, leg.key, this.#world)) };
    }
    if (this.#passing !== undefined) this.#write(this.#passing.flush());
    const isWhole = this.#client.isWhole && this.#passing?.finished !== false;
    return { outcome: isWhole ? 'ok' : 'truncated', send: () => this.#client.end() };
  }

  /** There is no more to come, or never was any: an error where there is no answer yet, a cut connection where there is. */
  fail(error: VelloError): () => void {
    if (this.begun) return () => this.#cut(error);
    const { requestId, route } = this.#request;
    return this.#reply(problemReply(error, requestId, speaksOpenAi(route)));
  }

  /** The client is gone: nothing more can be told to it. */
  leave(): void {
    this.#clientLeft = true;
    this.#client.release();
  }

  #write(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    this.#bytesOut += chunk.length;
    return this.#client.write(chunk);
  }

  /** Never ends the answer: an end would say that it is complete. */
  #cut(error: VelloError): void {
    if (this.#passing?.betweenEvents() === true) {
      const { body } = problemReply(error, this.#request.requestId, true);
      this.#client.write(Buffer.from(`data: ${body}\n\n`));
    }
    this.#client.cut();
  }

  /** Settles what is answered; it leaves with the call of what is returned. */
  #reply(reply: ProblemReply): () => void {
    this.#status = reply.status;
    this.#client.release();
    if (this.#clientLeft) return nothing;
    this.#bytesOut += Buffer.byteLength(reply.body);
    const headers = { ...this.#ownHeaders(), ...reply.headers };
    return () => {
      if (this.#clientLeft) return;
      refuse(this.#response, this.#upload, this.#request, { ...reply, headers }, this.#world.clock);
    };
  }

  #ownHeaders(): Record<string, string> {
    return ownHeaders(this.#request.requestId, this.sessionId, this.prompt);
  }
}
