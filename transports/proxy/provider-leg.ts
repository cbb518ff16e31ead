/**
 * The provider's side of one exchange: sends the body on as it is taken, repeats a call that cannot have been billed, and
 * knows when the provider has been silent for too long. What the client is told is decided by the exchange.
 */
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { UpstreamCall, UpstreamFailure, UpstreamHeaders, UpstreamListener } from '../../actors/relay/upstream.ts';
import type { Provider } from '../../actors/relay/gateway-config.ts';
import type { JsonShape } from '../../actors/metering/json-body-scanner.ts';
import type { ProviderKey } from '../../actors/relay/provider-key.ts';
import { LIMITS } from '../../config/limits.ts';
import { callerHeader, headersToProvider } from './header-policy.ts';
import { scrubText } from './key-scrubber.ts';
import type { RelayRequest } from './relay-request.ts';
import type { Upload } from './upload.ts';
import { usageRequestFor, type UsageRequest } from './usage-request.ts';

export interface LegListener {
  onHead(status: number, headers: UpstreamHeaders): void;
  onData(chunk: Buffer): void;
  onEnd(): void;
  onFailed(reason: UpstreamFailure['reason']): void;
  /** One of the above, or what it leads to, threw. Must not throw. */
  onFault(error: unknown): void;
}

export interface LegWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface LegParts {
  readonly provider: Provider;
  readonly request: RelayRequest;
  readonly upload: Upload;
  /** Whom the request is for; our own engine hears of it, in a name of its own. */
  readonly userId: string | undefined;
  /** Where the members of a JSON body stand. */
  readonly shape: JsonShape | undefined;
  readonly listener: LegListener;
}

/** A second attempt is made only where the first cannot have been billed. */
const MOST_ATTEMPTS = 2;

export class ProviderLeg implements UpstreamListener {
  readonly provider: Provider;
  readonly key: ProviderKey | undefined;
  readonly #world: LegWorld;
  readonly #request: RelayRequest;
  readonly #upload: Upload;
  readonly #usageRequest: UsageRequest;
  readonly #userId: string | undefined;
  readonly #listener: LegListener;
  #call: UpstreamCall | undefined;
  #attempts = 0;
  /** By which the body is longer than the client's. */
  #addedBytes = 0;
  #connected = false;
  /** The provider takes body bytes right now. */
  #wanted = false;
  #sentBytes = 0;
  #bodySent = false;
  #headAtMs: number | undefined;
  #openedMs = 0;
  /** Last time the provider did something: took bytes, was sent the last one, or answered some. */
  #progressMs = 0;
  #paused = false;

  constructor(world: LegWorld, { provider, request, upload, userId, shape, listener }: LegParts) {
    this.#world = world;
    this.#request = request;
    this.#upload = upload;
    this.#userId = userId;
    this.#listener = listener;
    this.provider = provider;
    this.#usageRequest = usageRequestFor(request, provider, upload, shape);
    this.key = provider.keys.next();
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** When the answer's status arrived, in the clock's monotonic milliseconds. */
  get headAtMs(): number | undefined {
    return this.#headAtMs;
  }

  /** More of the body must arrive before the call may begin. */
  mustWait(): boolean {
    return this.#usageRequest.mustWait();
  }

  /** The provider was asked for the usage of a stream in the client's place. */
  get asksForUsage(): boolean {
    return this.#usageRequest.isOurs;
  }

  open(): void {
    this.#addedBytes = this.#usageRequest.begin();
    this.#guard(() => this.#try());
  }

  /** More of the body has arrived. */
  onUpload(): void {
    this.#usageRequest.arrived();
    this.pump();
  }

  #try(): void {
    const { upstreamPath, method } = this.#request;
    this.#attempts += 1;
    this.#wanted = false;
    this.#connected = false;
    this.#openedMs = this.#progressMs = this.#world.clock.monotonicMs();
    const contentLength = this.#contentLength();
    this.#bodySent = contentLength === 0;
    const secret = this.key?.reveal();
    const ofCaller = this.provider.isOwn === true ? callerHeader(this.#userId, secret) : '';
    const headers = headersToProvider((name) => this.#request.header(name), secret, this.#userId) + ofCaller;
    const request = { method, path: upstreamPath, headers, contentLength };
    this.#call = this.provider.upstream.open(request, this);
    this.#call.start();
  }

  /** A body that has arrived whole has a length, however the client sent it. One without length and coding is empty (RFC 9112 §6.3). */
  #contentLength(): number | undefined {
    const { method, framing } = this.#request;
    if (method !== 'POST') return 0;
    if (this.#upload.complete) return this.#upload.queuedBytes;
    return framing.chunked ? undefined : (framing.contentLength ?? 0) + this.#addedBytes;
  }

  /** Sends on what the upload holds, as far as the provider takes it. */
  pump(): void {
    const call = this.#call;
    if (call === undefined || this.#bodySent) return;
    while (this.#wanted) {
      const chunk = this.#upload.take();
      if (chunk === undefined) break;
      this.#sentBytes += chunk.length;
      this.#progressMs = this.#world.clock.monotonicMs();
      const isLast = this.#upload.complete && this.#upload.queuedBytes === 0;
      this.#bodySent = isLast;
      this.#wanted = call.write(chunk, isLast);
    }
    if (!this.#bodySent && this.#connected && this.#upload.complete && this.#upload.queuedBytes === 0) {
      this.#bodySent = true;
      call.end();
    }
  }

  pause(): void {
    this.#paused = true;
    this.#call?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#progressMs = this.#world.clock.monotonicMs();
    this.#call?.resume();
  }

  abort(): void {
    this.#call?.abort();
  }

  /** Whether the provider has taken or said nothing for longer than it may in this phase. */
  isOverdue(nowMs: number): boolean {
    if (this.#call === undefined || this.#paused) return false;
    const quietMs = nowMs - this.#progressMs;
    if (this.#headAtMs !== undefined) return quietMs > LIMITS.relay.idleMs;
    if (this.#bodySent) return quietMs > LIMITS.relay.headMs;
    return this.#upload.queuedBytes > 0 && quietMs > LIMITS.relay.uploadStallMs;
  }

  // Called by the upstream, whose connection must not suffer for what we throw.

  wanted(): void {
    this.#guard(() => {
      this.#connected = true;
      this.#wanted = true;
      this.#progressMs = this.#world.clock.monotonicMs();
      this.pump();
    });
  }

  head(status: number, headers: UpstreamHeaders): void {
    this.#guard(() => {
      this.#headAtMs = this.#progressMs = this.#world.clock.monotonicMs();
      const elapsedMs = this.#headAtMs - this.#openedMs;
      this.#world.metrics.observe('vello_gateway_upstream_seconds', { provider: this.provider.name }, elapsedMs / 1000);
      this.#listener.onHead(status, headers);
    });
  }

  data(chunk: Buffer): void {
    this.#guard(() => {
      this.#progressMs = this.#world.clock.monotonicMs();
      this.#listener.onData(chunk);
    });
  }

  end(): void {
    this.#guard(() => this.#listener.onEnd());
  }

  failed({ reason, error }: UpstreamFailure): void {
    this.#guard(() => {
      this.#world.log.warn('the call to the provider failed', {
        requestId: this.#request.requestId,
        provider: this.provider.name,
        attempt: this.#attempts,
        reason,
        // Its words may repeat what was sent.
        error: scrubText(error.message, this.key?.reveal()),
      });
      if (this.#mayRepeat(reason)) this.#try();
      else this.#listener.onFailed(reason);
    });
  }

  /** Nothing can have been billed: no byte was seen, or the method asks for nothing to be done (RFC 9110 §9.2.2). What was taken of a body is gone. */
  #mayRepeat(reason: UpstreamFailure['reason']): boolean {
    if (this.#headAtMs !== undefined || this.#sentBytes > 0 || this.#attempts >= MOST_ATTEMPTS) return false;
    return reason === 'connect' || this.#request.method !== 'POST';
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#listener.onFault(error);
    }
  }
}
