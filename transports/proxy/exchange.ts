/**
 * One request on its way through the gateway: admitted, sent on, answered, and reported in exactly one event, whatever
 * happens to it. Decides about departures, failures, retries and time; how bytes wait is decided by upload and answer.
 */
import type { Caller } from '../../actors/admission/admission.ts';
import type { UpstreamFailure, UpstreamHeaders } from '../../actors/relay/upstream.ts';
import { needsModel, providerFor, uploadBound, type GatewayConfig } from '../../actors/relay/gateway-config.ts';
import type { UploadMeter } from '../../actors/metering/upload-meter.ts';
import type { Outcome } from '../../actors/events/usage-event.ts';
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { NativeResponse } from '../http/server/native-response.ts';
import { toVelloError } from '../http/server/problem.ts';
import { ExchangeAnswer } from './exchange-answer.ts';
import { ExchangeReport } from './exchange-report.ts';
import type { ExchangeWorld } from './exchange-world.ts';
import { findOverdue } from './find-overdue.ts';
import { ProviderLeg, type LegListener } from './provider-leg.ts';
import { meterFor, sessionOf, withPrompt, type PromptedRequest, type RelayRequest } from './relay-request.ts';
import { Upload } from './upload.ts';

type Phase = 'admitting' | 'routing' | 'relaying' | 'orphaned' | 'over';

export class Exchange implements LegListener {
  place = -1;
  readonly #world: ExchangeWorld;
  readonly #response: NativeResponse;
  readonly #request: RelayRequest;
  readonly #upload: Upload;
  readonly #answer: ExchangeAnswer;
  readonly #report: ExchangeReport;
  #phase: Phase = 'admitting';
  /** The request is accounted for, should this process die: now it may reach the provider. */
  #isNoted: boolean;
  #userId: string | undefined;
  #forgetCaller: (() => void) | undefined;
  #meter: UploadMeter | undefined;
  #prompted: PromptedRequest | undefined;
  #config: GatewayConfig | undefined;
  #leg: ProviderLeg | undefined;

  constructor(world: ExchangeWorld, response: NativeResponse, request: RelayRequest) {
    this.#world = world;
    this.#response = response;
    this.#request = request;
    this.#isNoted = !request.route.reportsEvent;
    const { chunked, contentLength } = request.framing;
    this.#upload = new Upload(response, {
      hasBody: chunked || (contentLength ?? 0) > 0,
      bufferBytes: request.route.body === 'prompt' ? LIMITS.prompts.bodyBytes : LIMITS.relay.uploadBufferBytes,
      budget: world.uploads,
      clock: world.clock,
      onArrival: (chunk) => this.#guard(() => this.#onUpload(chunk)),
      onOverflow: () => this.#guard(() => this.#onOverflow()),
    });
    this.#answer = new ExchangeAnswer(world, response, request, this.#upload, () => this.#leg?.resume());
    this.#report = new ExchangeReport(world, request, this.#upload, this.#answer);
    response.onAborted(() => this.#onClientLeft());
  }

  /** Begins. Must be called in the same turn as the constructor. */
  start(): void {
    let caller: Caller | Promise<Caller>;
    try {
      caller = this.#world.admission.admit(this.#request.header('authorization'), this.#request.remoteAddress);
    } catch (error) {
      this.#guard(() => this.#refuseUnadmitted(error));
      return;
    }
    if (!(caller instanceof Promise)) {
      const admitted = caller;
      this.#guard(() => this.#onAdmitted(admitted));
      return;
    }
    this.#enrol();
    caller.then(
      (admitted) => this.#guard(() => this.#onAdmitted(admitted)),
      (error: unknown) => this.#guard(() => this.#refuseUnadmitted(error)),
    );
  }

  /** From now on a stop waits for it. */
  #enrol(): void {
    if (this.place >= 0) return;
    this.#world.active.add(this);
    this.#world.onActive();
  }

  /** Judges what has waited too long. To be called a few times a second. */
  tick(): void {
    this.#guard(() => this.#judgeTime());
  }

  #judgeTime(): void {
    // How long an admission may take is bounded where it is asked for.
    if (this.#phase === 'over' || this.#phase === 'admitting') return;
    const nowMs = this.#world.clock.monotonicMs();
    const late = findOverdue({
      nowMs,
      startedMs: this.#report.startedMs,
      upload: this.#upload,
      leg: this.#leg,
      awaitsUpload: this.#phase !== 'orphaned' && !this.#answer.hasHead,
    });
    if (late === undefined) return;
    // Whoever reads an answer for an hour has had it all the same, unless it is the provider that is silent.
    const isHad = this.#answer.begun && this.#leg?.isOverdue(nowMs) !== true;
    this.#fail(late, isHad ? 'truncated' : 'timeout');
  }

  /** Ends the exchange because the gateway stops. */
  shutDown(): void {
    this.#guard(() => {
      if (this.#phase === 'admitting') this.#refuseUnadmitted(new VelloError('SHUTTING_DOWN'));
      else if (this.#phase !== 'over') this.#fail(new VelloError('SHUTTING_DOWN'), 'shutdown');
    });
  }

  #onAdmitted(caller: Caller): void {
    if (this.#phase !== 'admitting') return;
    let sessionId: string;
    let meter: UploadMeter;
    try {
      sessionId = sessionOf(this.#request, this.#world.newId);
      this.#answer.sessionId = sessionId;
      meter = meterFor(this.#request);
      this.#forgetCaller = this.#world.admission.hold(caller, () => this.#guard(() => this.#onRevoked()));
    } catch (error) {
      this.#refuseUnadmitted(error);
      return;
    }
    const config = this.#world.config();
    this.#userId = caller.userId;
    this.#meter = meter;
    this.#config = config;
    this.#phase = 'routing';
    this.#enrol();
    this.#report.admit({ caller, sessionId, meter, config }, () => this.#guard(() => this.#onNoted()));
    if (this.#meters(this.#upload.queued()) && this.#fits(config)) this.#route();
  }

  #onNoted(): void {
    this.#isNoted = true;
    if (this.#phase === 'routing') this.#route();
  }

  /** False when the request has contradicted itself, and has been refused for it. */
  #meters(chunks: readonly Buffer[]): boolean {
    const contradiction = this.#meter?.take(chunks, this.#upload.complete);
    // The request took its course and is answered, if with a refusal: nobody's failure.
    if (contradiction !== undefined) this.#fail(contradiction, 'ok');
    return contradiction === undefined;
  }

  /** False when the body is longer than may be sent on, by what was announced or by now, and has been refused for it. */
  #fits(config: GatewayConfig): boolean {
    const { route, framing } = this.#request;
    const most = route.body === 'prompt' ? LIMITS.prompts.bodyBytes : uploadBound(config, route.type, this.#model());
    if (most === undefined || Math.max(this.#upload.receivedBytes, framing.contentLength ?? 0) <= most) return true;
    const where = route.body === 'prompt' ? 'here' : 'for this model';
    this.#fail(new VelloError('PAYLOAD_TOO_LARGE', `At most ${most} bytes are taken ${where}.`), 'ok');
    return false;
  }

  #model(): string | undefined {
    return this.#request.models[0] ?? this.#meter?.model();
  }

  /** An answer that is read to its end for a client that left goes to the account and to nobody else: it may. */
  #onRevoked(): void {
    if (this.#phase === 'orphaned' || this.#phase === 'over') return;
    // Whoever signed out has left, as if by closing the connection.
    this.#fail(new VelloError('AUTH_TOKEN_UNKNOWN', 'The access token was revoked.'), 'client_abort');
  }

  #onUpload(chunk: Buffer): void {
    if (this.#phase !== 'routing' && this.#phase !== 'relaying') return;
    if (!this.#meters([chunk]) || this.#config === undefined || !this.#fits(this.#config)) return;
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
    if (config === undefined || !this.#isNoted || !this.#isPrompted()) return;
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
      userId: this.#userId,
      request: this.#prompted?.request ?? this.#request,
      upload: this.#upload,
      shape: this.#meter?.shape,
      listener: this,
    });
    if (this.#leg.mustWait()) return;
    this.#report.observeOverhead();
    this.#phase = 'relaying';
    this.#leg.open();
  }

  /** Puts in the prompt that a request names, once it is here whole. False until then, and where it was refused. */
  #isPrompted(): boolean {
    if (this.#request.route.body !== 'prompt' || this.#prompted !== undefined) return true;
    if (!this.#upload.complete) return false;
    try {
      this.#prompted = withPrompt(this.#request, Buffer.concat(this.#upload.queued()), this.#world.prompts);
    } catch (error) {
      if (!(error instanceof VelloError)) throw error;
      this.#fail(error, 'ok');
      return false;
    }
    const { body, meter, prompt } = this.#prompted;
    this.#upload.splice(0, this.#upload.receivedBytes, body);
    this.#meter = meter;
    this.#report.sends(meter);
    this.#answer.prompt = prompt;
    this.#world.log.debug('a prompt was put in', { requestId: this.#request.requestId, prompt });
    return true;
  }

  // The provider's side. Nothing arrives here after `abort`.

  onHead(status: number, headers: UpstreamHeaders): void {
    if (this.#leg !== undefined) this.#answer.begin(status, headers, this.#leg);
  }

  onData(chunk: Buffer): void {
    if (this.#phase === 'orphaned') {
      this.#answer.read(chunk);
      return;
    }
    if (!this.#answer.begun && !this.#answer.isRefusal) this.#report.observeFirstByte();
    if (!this.#answer.pass(chunk)) this.#leg?.pause();
  }

  onEnd(): void {
    if (this.#phase === 'orphaned') {
      this.#finish(this.#answer.isRefusal ? 'upstream_error' : 'client_abort');
    } else if (this.#leg !== undefined) {
      const { outcome, send } = this.#answer.end(this.#leg);
      this.#finish(outcome, send);
    }
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
      if (this.#phase === 'orphaned') this.#world.orphans.count -= 1;
      this.#phase = 'over';
      this.#forgetCaller?.();
      active.remove(this);
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

  #onClientLeft(): void {
    this.#answer.leave();
    if (this.#phase === 'admitting') {
      this.#phase = 'over';
      this.#world.active.remove(this);
    }
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
      !this.#answer.isRefusal &&
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
    this.#finish(outcome, this.#answer.fail(error));
  }

  #refuseUnadmitted(error: unknown): void {
    if (this.#phase !== 'admitting') return;
    this.#phase = 'over';
    this.#world.active.remove(this);
    const failure = toVelloError(error);
    if (failure.code === 'INTERNAL') this.#world.log.error('admission failed', { error });
    this.#answer.fail(failure)();
    this.#report.refused();
  }

  /** `onDurable`: the end of the answer, which waits for the event; the exchange counts as active until then. */
  #finish(outcome: Outcome, onDurable?: () => void): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'orphaned') this.#world.orphans.count -= 1;
    this.#phase = 'over';
    this.#forgetCaller?.();
    // The answer may be out before the upload has ended: nobody waits for the rest of it.
    this.#upload.discard();
    this.#report.end(outcome, this.#leg, () => {
      this.#world.active.remove(this);
      this.#guard(() => onDurable?.());
    });
  }
}
