/**
 * One request on its way through the gateway: admitted, sent on, answered, and reported in exactly one event, whatever
 * happens to it. Decides about departures, failures, retries and time; how bytes wait is decided by upload and answer.
 */
import type { Caller } from '../../actors/admission/admission.ts';
import type { UpstreamFailure, UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { describeExchange } from '../../actors/relay/describe-exchange.ts';
import { needsModel, providerFor, type GatewayConfig } from '../../actors/relay/gateway-config.ts';
import type { UploadMeter } from '../../actors/metering/upload-meter.ts';
import type { Outcome, UsageEvent } from '../../actors/events/usage-event.ts';
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { NativeResponse } from '../http/server/native-response.ts';
import { problemReply, toVelloError, type ProblemReply } from '../http/server/problem.ts';
import { createClientAnswer, type ClientAnswer } from './client-answer.ts';
import { ownHeaders } from './header-policy.ts';
import { HeldRefusal } from './held-refusal.ts';
import { countExchange, type ExchangeWorld } from './exchange-world.ts';
import { findOverdue } from './find-overdue.ts';
import { createPassingAnswer, type PassingAnswer } from './passing-answer.ts';
import { factsOfLeg, ProviderLeg, type LegListener } from './provider-leg.ts';
import { refuse } from './refuse.ts';
import { meterFor, sessionOf, speaksOpenAi, type RelayRequest } from './relay-request.ts';
import { createUpload, type Upload } from './upload.ts';
import { concernsTheRequest } from './upstream-refusal.ts';

type Phase = 'admitting' | 'routing' | 'relaying' | 'orphaned' | 'over';

export class Exchange implements LegListener {
  readonly #world: ExchangeWorld;
  readonly #response: NativeResponse;
  readonly #request: RelayRequest;
  readonly #upload: Upload;
  readonly #answer: ClientAnswer;
  readonly #startedAtMs: number;
  readonly #startedMs: number;
  #phase: Phase = 'admitting';
  #clientLeft = false;
  #admittedMs = 0;
  #caller: Caller = {};
  #forgetCaller: (() => void) | undefined;
  #sessionId = '';
  readonly #eventId: string;
  #meter: UploadMeter | undefined;
  #config: GatewayConfig | undefined;
  #leg: ProviderLeg | undefined;

  #status = 0;
  #passing: PassingAnswer | undefined;
  #refusal: HeldRefusal | undefined;
  #bytesOut = 0;

  constructor(world: ExchangeWorld, response: NativeResponse, request: RelayRequest) {
    this.#world = world;
    this.#response = response;
    this.#request = request;
    this.#eventId = world.newId();
    this.#startedAtMs = world.clock.now();
    this.#startedMs = world.clock.monotonicMs();
    this.#answer = createClientAnswer(response, request.method === 'HEAD', () => this.#leg?.resume());
    const { chunked, contentLength } = request.framing;
    this.#upload = createUpload(response, {
      hasBody: chunked || (contentLength ?? 0) > 0,
      ...{ budget: world.uploads, now: () => world.clock.monotonicMs() },
      onArrival: (chunk) => this.#onUpload(chunk),
      onOverflow: () => this.#onOverflow(),
    });
    response.onAborted(() => this.#onClientLeft());
  }

  /** Begins. Must be called in the same turn as the constructor. */
  start(): void {
    try {
      const caller = this.#world.admission.admit(this.#request.authorization, this.#request.remoteAddress);
      if (!(caller instanceof Promise)) {
        this.#onAdmitted(caller);
        return;
      }
      caller.then(
        (admitted) => this.#guard(() => this.#onAdmitted(admitted)),
        (error: unknown) => this.#guard(() => this.#refuseUnadmitted(error)),
      );
    } catch (error) {
      this.#refuseUnadmitted(error);
    }
  }

  /** Judges what has waited too long. To be called a few times a second. */
  tick(): void {
    this.#guard(() => this.#judgeTime());
  }

  #judgeTime(): void {
    if (this.#phase === 'over') return;
    const late = findOverdue({
      nowMs: this.#world.clock.monotonicMs(),
      startedMs: this.#startedMs,
      upload: this.#upload,
      leg: this.#leg,
      awaitsUpload: this.#phase !== 'orphaned' && this.#passing === undefined && this.#refusal === undefined,
    });
    if (late !== undefined) this.#fail(late, 'timeout');
  }

  /** Ends the exchange because the gateway stops. */
  shutDown(): void {
    this.#guard(() => {
      if (this.#phase !== 'over') this.#fail(new VelloError('SHUTTING_DOWN'), 'shutdown');
    });
  }

  #onAdmitted(caller: Caller): void {
    if (this.#phase !== 'admitting') return;
    try {
      this.#sessionId = sessionOf(this.#request, this.#world.newId);
      this.#meter = meterFor(this.#request);
      this.#forgetCaller = this.#world.admission.hold(caller, () => this.#guard(() => this.#onRevoked()));
    } catch (error) {
      this.#refuseUnadmitted(error);
      return;
    }
    this.#caller = caller;
    this.#phase = 'routing';
    this.#admittedMs = this.#world.clock.monotonicMs();
    this.#config = this.#world.config();
    this.#world.active.add(this);
    if (this.#request.route.reportsEvent) this.#world.events.admit(this.#describe('lost', this.#meter));
    this.#world.onActive();
    if (this.#meters(this.#upload.queued())) this.#route();
  }

  /** False when the request has contradicted itself, and has been refused for it. */
  #meters(chunks: readonly Buffer[]): boolean {
    const contradiction = this.#meter?.take(chunks, this.#upload.complete);
    // The request took its course and is answered, if with a refusal: nobody's failure.
    if (contradiction !== undefined) this.#fail(contradiction, 'ok');
    return contradiction === undefined;
  }

  /** An answer that is read to its end for a client that left goes to the account and to nobody else: it may. */
  #onRevoked(): void {
    if (this.#phase === 'orphaned' || this.#phase === 'over') return;
    // Whoever signed out has left, as if by closing the connection.
    this.#fail(new VelloError('AUTH_TOKEN_UNKNOWN', 'The access token was revoked.'), 'client_abort');
  }

  #onUpload(chunk: Buffer): void {
    if (this.#phase !== 'routing' && this.#phase !== 'relaying') return;
    if (!this.#meters([chunk])) return;
    if (this.#phase === 'routing') this.#route();
    else this.#leg?.onUpload();
  }

  #onOverflow(): void {
    const error = new VelloError('UNAVAILABLE', 'Too much is being sent at once.', { retryAfterMs: 1000 });
    if (this.#phase === 'admitting') this.#refuseUnadmitted(error);
    else if (this.#phase !== 'over') this.#fail(error, 'upstream_error');
  }

  /** Sends the request on as soon as it is known where to. */
  #route(): void {
    const config = this.#config;
    if (config === undefined) return;
    const model = this.#model();
    const mayStillCome = !this.#upload.complete && this.#upload.receivedBytes < LIMITS.relay.lookAheadBytes;
    if (model === undefined && mayStillCome && needsModel(config)) return;
    const provider = this.#world.providers.get(providerFor(config, model));
    if (provider === undefined) {
      this.#fail(new VelloError('UNAVAILABLE', 'No AI provider is available for this model.'), 'upstream_error');
      return;
    }
    this.#leg ??= new ProviderLeg(this.#world, {
      provider,
      userId: this.#caller.userId,
      request: this.#request,
      upload: this.#upload,
      shape: this.#meter?.shape,
      listener: this,
    });
    if (this.#leg.mustWait()) return;
    const { clock, metrics } = this.#world;
    const sinceMs = this.#startedMs + Math.max(0, this.#upload.lastArrivalMs - this.#admittedMs);
    const overheadS = (clock.monotonicMs() - sinceMs) / 1000;
    metrics.observe('vello_gateway_overhead_seconds', { route: this.#request.route.pattern }, overheadS);
    this.#phase = 'relaying';
    this.#leg.open();
  }

  // The provider's side. Nothing arrives here after `abort`.

  onHead(status: number, headers: UpstreamHeaders): void {
    this.#status = status;
    if (status >= 300) {
      // The provider wants no more of it: what is still coming is read and thrown away.
      this.#upload.discard();
      this.#refusal = new HeldRefusal(status, headers);
      return;
    }
    const { route, requestId } = this.#request;
    this.#passing = createPassingAnswer({
      type: route.type,
      status,
      headers,
      secret: this.#leg?.key?.reveal(),
      withholdsUsage: this.#leg?.asksForUsage === true,
    });
    const { head } = this.#passing;
    this.#answer.begin({ ...head, headers: { ...ownHeaders(requestId, this.#sessionId), ...head.headers } });
  }

  onData(chunk: Buffer): void {
    if (this.#refusal !== undefined) {
      this.#refusal.push(chunk);
      return;
    }
    if (this.#phase === 'orphaned') {
      this.#passing?.read(chunk);
      return;
    }
    if (!this.#answer.begun) {
      const { clock, metrics } = this.#world;
      const ttftMs = clock.monotonicMs() - this.#startedMs;
      metrics.observe('vello_gateway_ttft_seconds', { route: this.#request.route.pattern }, ttftMs / 1000);
    }
    if (this.#passing !== undefined) this.#send(this.#passing.pass(chunk));
  }

  onEnd(): void {
    if (this.#phase === 'orphaned') {
      this.#finish(this.#refusal === undefined ? 'client_abort' : 'upstream_error');
      return;
    }
    if (this.#refusal !== undefined) {
      const send = this.#reply(this.#refusal.reply(this.#request, this.#leg?.key, this.#world));
      this.#finish(concernsTheRequest(this.#status) ? 'ok' : 'upstream_error', send);
      return;
    }
    if (this.#passing !== undefined) this.#send(this.#passing.flush());
    const isWhole = this.#answer.isWhole && this.#passing?.summary().finished !== false;
    this.#finish(isWhole ? 'ok' : 'truncated', () => this.#answer.end());
  }

  onFailed(reason: UpstreamFailure['reason']): void {
    const code = reason === 'connect' ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_FAILED';
    this.#fail(new VelloError(code), this.#answer.begun ? 'truncated' : 'upstream_error');
  }

  onFault(error: unknown): void {
    const { log, active } = this.#world;
    log.error('an exchange failed', { requestId: this.#request.requestId, route: this.#request.route.pattern, error });
    try {
      if (this.#phase === 'over') this.#response.close();
      else this.#fail(new VelloError('INTERNAL'), 'upstream_error');
    } catch (second) {
      log.error('an exchange failed while it was ended', { requestId: this.#request.requestId, error: second });
      this.#phase = 'over';
      this.#forgetCaller?.();
      active.delete(this);
      this.#response.close();
    }
  }

  /** Runs what timers and promises call: an exception costs this exchange, never the process. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.onFault(error);
    }
  }

  #send(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#bytesOut += chunk.length;
    if (!this.#answer.write(chunk)) this.#leg?.pause();
  }

  #onClientLeft(): void {
    this.#clientLeft = true;
    this.#answer.release();
    if (this.#phase === 'admitting') this.#phase = 'over';
    if (this.#phase === 'over') this.#upload.discard();
    else if (this.#isWorthReading()) {
      this.#phase = 'orphaned';
      this.#world.orphans.count += 1;
      this.#leg?.pump();
      this.#leg?.resume();
    } else {
      this.#leg?.abort();
      this.#finish('client_abort');
    }
  }

  /** A transcription whose audio was sent whole has its price already; its text is kept for the desktop's return (contract §4). */
  #isWorthReading(): boolean {
    return (
      this.#phase === 'relaying' &&
      this.#request.route.type === 'transcribe' &&
      this.#upload.complete &&
      this.#refusal === undefined &&
      this.#world.orphans.count < LIMITS.relay.orphanedAnswers
    );
  }

  /** Ends the exchange before its time: with an error where there is no answer yet, by cutting the connection where there is. */
  #fail(error: VelloError, outcome: Outcome): void {
    this.#leg?.abort();
    if (this.#phase === 'orphaned') {
      this.#finish(outcome === 'shutdown' ? outcome : 'client_abort');
      return;
    }
    const { requestId, route } = this.#request;
    const end = this.#answer.begun
      ? () => this.#cut(error)
      : this.#reply(problemReply(error, requestId, speaksOpenAi(route)));
    this.#finish(outcome, end);
  }

  /** Never ends the answer: an end would say that it is complete. By now the exchange is over, so that this is no client's leaving. */
  #cut(error: VelloError): void {
    if (this.#passing?.betweenEvents() === true) {
      const { body } = problemReply(error, this.#request.requestId, true);
      this.#answer.write(Buffer.from(`data: ${body}\n\n`));
    }
    this.#answer.cut();
  }

  /** Settles what is answered; it leaves with the call of what is returned. */
  #reply(reply: ProblemReply): () => void {
    this.#status = reply.status;
    this.#answer.release();
    if (this.#clientLeft) return () => undefined;
    this.#bytesOut += Buffer.byteLength(reply.body);
    const headers = { ...ownHeaders(this.#request.requestId, this.#sessionId), ...reply.headers };
    return () => {
      if (this.#clientLeft) return;
      refuse(this.#response, this.#upload, this.#request, { ...reply, headers }, this.#world.clock);
    };
  }

  #refuseUnadmitted(error: unknown): void {
    if (this.#phase !== 'admitting') return;
    this.#phase = 'over';
    const failure = toVelloError(error);
    if (failure.code === 'INTERNAL') this.#world.log.error('admission failed', { error });
    this.#reply(problemReply(failure, this.#request.requestId, speaksOpenAi(this.#request.route)))();
    this.#count('refused');
  }

  /** `onDurable`: the end of the answer, which waits for the event; the exchange counts as active until then. */
  #finish(outcome: Outcome, onDurable?: () => void): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'orphaned') this.#world.orphans.count -= 1;
    this.#phase = 'over';
    this.#forgetCaller?.();
    // The answer may be out before the upload has ended: nobody waits for the rest of it.
    this.#upload.discard();
    this.#count(outcome);
    const settle = () => {
      this.#world.active.delete(this);
      this.#guard(() => onDurable?.());
    };
    if (!this.#request.route.reportsEvent || this.#meter === undefined) settle();
    else this.#world.events.emit(this.#describe(outcome, this.#meter), settle);
  }

  #describe(outcome: Outcome, meter: UploadMeter): UsageEvent {
    return describeExchange({
      eventId: this.#eventId,
      type: this.#request.route.type,
      requestId: this.#request.requestId,
      sessionId: this.#sessionId,
      caller: this.#caller,
      ...factsOfLeg(this.#leg, this.#startedMs),
      model: this.#model() ?? this.#config?.defaultModels[this.#request.route.type] ?? '',
      outcome,
      status: this.#status,
      startedAtMs: this.#startedAtMs,
      durationMs: this.#world.clock.monotonicMs() - this.#startedMs,
      bytesIn: this.#upload.receivedBytes,
      bytesOut: this.#bytesOut,
      uploadComplete: this.#upload.complete,
      ...meter.facts(),
      answer: this.#passing?.summary(),
      clientLeft: this.#clientLeft,
      traceparent: this.#request.traceparent,
    });
  }

  #count(outcome: Outcome | 'refused'): void {
    const elapsedMs = this.#world.clock.monotonicMs() - this.#startedMs;
    const passed = { bytesIn: this.#upload.receivedBytes, bytesOut: this.#bytesOut };
    const status = this.#status || 499;
    countExchange(this.#world, { route: this.#request.route.pattern, outcome, status, elapsedMs, ...passed });
  }

  #model(): string | undefined {
    return this.#request.models[0] ?? this.#meter?.model();
  }
}
