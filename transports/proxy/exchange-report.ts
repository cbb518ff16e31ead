/** What is said of one exchange: its event, as it would be if this process died and as it became, and its place in the metrics. */
import type { Caller } from '../../actors/admission/admission.ts';
import type { Outcome, UsageEvent } from '../../actors/events/usage-event.ts';
import type { UploadMeter } from '../../actors/metering/upload-meter.ts';
import { describeAdmission, describeExchange } from '../../actors/relay/describe-exchange.ts';
import type { GatewayConfig } from '../../actors/relay/gateway-config.ts';
import type { ExchangeAnswer } from './exchange-answer.ts';
import type { ExchangeWorld } from './exchange-world.ts';
import type { ProviderLeg } from './provider-leg.ts';
import type { RelayRequest } from './relay-request.ts';
import type { Upload } from './upload.ts';

/** What is known of an exchange from its admission on. */
export interface Admitted {
  readonly caller: Caller;
  readonly sessionId: string;
  readonly meter: UploadMeter;
  readonly config: GatewayConfig;
}

export class ExchangeReport {
  /** Monotonic. */
  readonly startedMs: number;
  readonly #world: ExchangeWorld;
  readonly #request: RelayRequest;
  readonly #upload: Upload;
  readonly #answer: ExchangeAnswer;
  readonly #eventId: string;
  readonly #startedAtMs: number;
  #admitted: Admitted | undefined;
  #admittedMs = 0;
  #hasFirstByte = false;

  constructor(world: ExchangeWorld, request: RelayRequest, upload: Upload, answer: ExchangeAnswer) {
    this.#world = world;
    this.#request = request;
    this.#upload = upload;
    this.#answer = answer;
    this.#eventId = world.newId();
    this.#startedAtMs = world.clock.now();
    this.startedMs = world.clock.monotonicMs();
  }

  /** From now on the exchange owes an event, where its route reports any. Calls `onNoted` once that is written down. */
  admit(admitted: Admitted, onNoted: () => void): void {
    this.#admitted = admitted;
    this.#admittedMs = this.#world.clock.monotonicMs();
    const { route, requestId, traceparent } = this.#request;
    if (!route.reportsEvent) return;
    this.#world.events.admit(
      describeAdmission({
        eventId: this.#eventId,
        type: route.type,
        requestId,
        sessionId: admitted.sessionId,
        caller: admitted.caller,
        model: this.#model(admitted),
        startedAtMs: this.#startedAtMs,
        traceparent,
      }),
      onNoted,
    );
  }

  /** What is sent on is another body than the client's: this meter read it. */
  sends(meter: UploadMeter): void {
    if (this.#admitted !== undefined) this.#admitted = { ...this.#admitted, meter };
  }

  /** The request is sent on: what it took here, the client's upload left out. */
  observeOverhead(): void {
    const sinceMs = this.startedMs + Math.max(0, this.#upload.lastArrivalMs - this.#admittedMs);
    this.#observe('vello_gateway_overhead_seconds', sinceMs);
  }

  /** The provider's answer has begun. Counted once, however long a part of it is held back. */
  observeFirstByte(): void {
    if (this.#hasFirstByte) return;
    this.#hasFirstByte = true;
    this.#observe('vello_gateway_ttft_seconds', this.startedMs);
  }

  /** The exchange is over. Calls `onDurable` once its event, if it owes one, is durable: at once or later. */
  end(outcome: Outcome, leg: ProviderLeg | undefined, onDurable: () => void): void {
    const durationMs = this.#elapsedMs();
    this.#count(outcome, durationMs);
    const admitted = this.#admitted;
    if (!this.#request.route.reportsEvent || admitted === undefined) onDurable();
    else this.#world.events.emit(this.#describe(admitted, outcome, leg, durationMs), onDurable);
  }

  /** It was over before it was admitted. */
  refused(): void {
    this.#count('refused', this.#elapsedMs());
  }

  #model({ meter, config }: Admitted): string {
    const { route, models } = this.#request;
    return models[0] ?? meter.model() ?? config.defaultModels[route.type] ?? '';
  }

  #describe(admitted: Admitted, outcome: Outcome, leg: ProviderLeg | undefined, durationMs: number): UsageEvent {
    const { caller, sessionId, meter } = admitted;
    const { route, requestId, traceparent } = this.#request;
    const { audio, textBytes, answers } = meter.facts();
    const { status, bytesOut, clientLeft } = this.#answer;
    return describeExchange({
      eventId: this.#eventId,
      type: route.type,
      requestId,
      sessionId,
      caller,
      provider: leg?.provider.name ?? '',
      model: this.#model(admitted),
      keyId: leg?.key?.id ?? '',
      outcome,
      status,
      startedAtMs: this.#startedAtMs,
      ttfbMs: leg?.headAtMs === undefined ? undefined : leg.headAtMs - this.startedMs,
      durationMs,
      bytesIn: this.#upload.receivedBytes,
      bytesOut,
      attempts: leg?.attempts ?? 0,
      uploadComplete: this.#upload.complete,
      audio,
      textBytes,
      images: route.answer === 'images' ? answers : 0,
      answer: this.#answer.summary(),
      clientLeft,
      traceparent,
      prompt: this.#answer.prompt,
    });
  }

  #elapsedMs(): number {
    return this.#world.clock.monotonicMs() - this.startedMs;
  }

  #count(outcome: Outcome | 'refused', elapsedMs: number): void {
    const { metrics } = this.#world;
    const route = this.#request.route.pattern;
    const listener = 'gateway';
    const status = String(this.#answer.status || 499);
    metrics.count('vello_gateway_requests_total', { route, outcome });
    metrics.count('vello_http_requests_total', { listener, route, status });
    metrics.observe('vello_http_request_seconds', { listener, route }, elapsedMs / 1000);
    metrics.count('vello_gateway_bytes_total', { direction: 'in' }, this.#upload.receivedBytes);
    metrics.count('vello_gateway_bytes_total', { direction: 'out' }, this.#answer.bytesOut);
  }

  #observe(name: 'vello_gateway_overhead_seconds' | 'vello_gateway_ttft_seconds', sinceMs: number): void {
    const { clock, metrics } = this.#world;
    metrics.observe(name, { route: this.#request.route.pattern }, (clock.monotonicMs() - sinceMs) / 1000);
  }
}
