/**
 * One live transcription: what its desktop sends goes to the provider, what the provider says goes to whichever socket the desktop has at the
 * moment, and one event says at the end what it was. Holds no thread and no timer of its own but the one that paces; its actor gives it its
 * life and its sense of time. Audio passes here and crosses no mailbox.
 */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { EventSink } from '../events/event-emitter.ts';
import type { Outcome, UsageEvent } from '../events/usage-event.ts';
import type { Facts } from '../kernel/actor.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import { CLOSE } from '../sessions/desktop-protocol.ts';
import { describeLive, type LiveStart } from './describe-live.ts';
import { LiveDesktop, type LiveSocket } from './live-desktop.ts';
import { LiveIntake, type LiveInput } from './live-intake.ts';
import type { LiveMessage } from './live-message.ts';
import type { LiveEnd, LiveServerMessage } from './live-protocol.ts';
import { LiveTexts } from './live-texts.ts';
import type { OpenSpeechLine, SpeechLine, SpeechLineListener, SpokenAt } from './speech-line.ts';

export interface LiveCallParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventSink;
  readonly openLine: OpenSpeechLine;
}

/**
 * `open`: audio is taken. `ending`: it is over, texts still come. `said`: all texts are there, and the desktop has still to be met.
 * `settled`: the event is out.
 */
type Phase = 'open' | 'ending' | 'said' | 'settled';

const ROUTE = '/vello/live';

export class LiveCall implements SpeechLineListener {
  readonly start: LiveStart;
  readonly #parts: LiveCallParts;
  readonly #desktop: LiveDesktop;
  readonly #intake: LiveIntake;
  readonly #texts = new LiveTexts();
  readonly #startedAtMs: number;
  readonly #startedMs: number;
  #phase: Phase = 'open';
  /** When the phase began. */
  #phaseMs: number;
  #tell: (message: LiveMessage) => void = () => undefined;
  #line: SpeechLine | undefined;
  #isWanted = false;
  #pacing: Timer | undefined;
  #endReason: LiveEnd['reason'] = 'asked';
  /** Nothing more is taken of the desktop: an `end` is on its way or out. */
  #isEndTaken = false;
  #lastAudioMs: number;
  #bytesIn = 0;
  #unacknowledgedBytes = 0;
  #firstTextMs: number | undefined;
  #attempts = 0;
  #usage: UsageEvent['usage'];
  /** What the desktop is told last, once the event is durable. */
  #lastWord: LiveEnd | undefined;
  #hasFailed = false;
  #forgetCaller: () => void = () => undefined;
  #onReported: () => void = () => undefined;

  constructor(start: LiveStart, parts: LiveCallParts) {
    this.start = start;
    this.#parts = parts;
    this.#startedAtMs = parts.clock.now();
    this.#startedMs = this.#lastAudioMs = this.#phaseMs = this.#nowMs();
    this.#desktop = new LiveDesktop(this.#startedMs);
    this.#intake = new LiveIntake(start.format, this.#startedMs);
  }

  /** From now on it owes an event. */
  admit(): void {
    this.#parts.events.admit(this.#describe('lost'));
  }

  /** Called when the event is durable, or was waited for long enough. */
  onReported(notify: () => void): void {
    this.#onReported = notify;
  }

  /** Takes over what is called when the caller has one less under way; what was given before is called. Where `take` throws, all stays as it is. */
  hold(take: () => () => void): void {
    const forgetCaller = this.#phase === 'settled' ? () => undefined : take();
    this.letGo();
    this.#forgetCaller = forgetCaller;
  }

  letGo(): void {
    this.#forgetCaller();
  }

  /** Whether a desktop that comes back has something to hear. */
  get isWorthMeeting(): boolean {
    return !this.#hasFailed;
  }

  // The actor's side.

  /** Calls the provider. */
  begin(tell: (message: LiveMessage) => void): void {
    this.#tell = tell;
    if (this.#phase !== 'open') return;
    this.#attempts = 1;
    this.#line = this.#parts.openLine(this);
  }

  /** Judges what has waited too long. To be called a few times a second. */
  tick(): void {
    const { live } = LIMITS;
    const nowMs = this.#nowMs();
    const isGone = this.#desktop.isGone(nowMs);
    const phaseMs = nowMs - this.#phaseMs;
    this.#acknowledge();
    switch (this.#phase) {
      case 'open':
        if (isGone) this.#settle('client_abort');
        else if (phaseMs > live.totalMs) this.#endItself('time');
        else if (nowMs - this.#lastAudioMs > live.quietMs) this.#endItself('quiet');
        return;
      case 'ending':
        if (phaseMs > live.finishMs) this.#fail(new VelloError('UPSTREAM_TIMEOUT'), 'timeout');
        return;
      case 'said':
        if (isGone) this.#settle('client_abort');
        return;
      case 'settled':
        if (isGone) this.#tell({ type: 'over' });
        else if (phaseMs > live.closeMs) this.#desktop.close(CLOSE.normal);
    }
  }

  /** Whoever signed out has left, as if by hanging up. */
  revoke(): void {
    const error = new VelloError('AUTH_TOKEN_UNKNOWN', 'The access token was revoked.');
    this.#fail(error, 'client_abort', CLOSE.tokenEnded);
  }

  /** Ends it as if the desktop had asked, who may begin another elsewhere. */
  windUp(): void {
    if (this.#phase === 'open') this.#endItself('restart');
  }

  shutDown(): void {
    if (this.#phase === 'settled') this.#desktop.close(CLOSE.normal);
    else if (this.#phase === 'said') this.#settle('client_abort');
    else this.#fail(new VelloError('SHUTTING_DOWN'), 'shutdown', CLOSE.drain);
  }

  /** The actor has ended by a failure of ours. */
  crash(): void {
    this.#fail(new VelloError('INTERNAL'), 'upstream_error');
  }

  facts(): Facts {
    const { heard, seconds } = this.#intake;
    return { phase: this.#phase, connected: this.#desktop.isThere, heard, audio_seconds: seconds };
  }

  // The desktop's side.

  /** The newest socket counts. `seq`: the last final that the desktop has. */
  attach(socket: LiveSocket, seq: number): void {
    // What was not passed on comes again, an end among it.
    this.#intake.forget();
    if (this.#phase === 'open') this.#isEndTaken = false;
    const { heard } = this.#intake;
    this.#desktop.arrive(socket, heard);
    this.#say({
      type: 'ready',
      live_id: this.start.liveId,
      session_id: this.start.sessionId,
      heard,
      resume_within_ms: LIMITS.live.lingerMs,
      window_bytes: LIMITS.live.windowBytes,
    });
    for (const missed of this.#texts.missedAfter(seq)) this.#say(missed);
    if (this.#phase === 'said') this.#settle('ok');
    else if (this.#lastWord !== undefined) this.#say(this.#lastWord);
  }

  take(socket: LiveSocket, input: LiveInput): void {
    if (!this.#desktop.has(socket) || this.#phase !== 'open' || this.#isEndTaken) return;
    switch (this.#intake.put(input)) {
      case 'malformed':
        this.refuse(socket, 'The frame is no audio of the agreed format.');
        return;
      case 'full': {
        const error = new VelloError('RATE_LIMITED', 'Audio comes faster than it is taken.');
        this.#fail(error, 'client_abort', CLOSE.flooding);
        return;
      }
      case 'kept':
    }
    if (input.type === 'audio') {
      this.#bytesIn += input.frame.length;
      this.#lastAudioMs = this.#nowMs();
    }
    this.#isEndTaken = input.type === 'end';
    this.#pump();
  }

  /** The desktop does not speak this protocol; `why` is for its author. */
  refuse(socket: LiveSocket, why: string): void {
    if (this.#desktop.has(socket)) this.#fail(new VelloError('BAD_REQUEST', why), 'client_abort', CLOSE.malformed);
  }

  /** `isForGood`: the desktop closed it, and was not cut off. */
  detach(socket: LiveSocket, isForGood: boolean): void {
    if (!this.#desktop.has(socket)) return;
    this.#desktop.leave(this.#nowMs(), isForGood);
    if (!isForGood) return;
    // A transcription whose audio was sent whole is read to its end, and kept.
    if (this.#phase === 'open' || this.#phase === 'said') this.#settle('client_abort');
    else if (this.#lastWord !== undefined) this.#tell({ type: 'over' });
  }

  // The provider's side. Nothing comes after the line was closed.

  wanted(): void {
    this.#isWanted = true;
    this.#pump();
  }

  begun(item: string): void {
    this.#texts.begin(item);
  }

  partial(item: string, delta: string): void {
    const partial = this.#texts.partial(item, delta);
    if (partial !== undefined) this.#answer(partial);
  }

  final(item: string, text: string, at: SpokenAt): void {
    const final = this.#texts.final(item, text, at);
    if (final === undefined) return;
    // What turns out to be no speech is no answer.
    if (text === '') this.#say(final);
    else this.#answer(final);
  }

  failed(item: string, error: VelloError): void {
    const final = this.#texts.final(item, '', {}, error.code);
    if (final !== undefined) this.#say(final);
  }

  counted(usage: NonNullable<UsageEvent['usage']>): void {
    this.#usage = usage;
  }

  done(): void {
    if (this.#phase !== 'ending') return;
    this.#enter('said');
    if (this.#desktop.isThere) this.#settle('ok');
    else if (this.#desktop.hasLeft) this.#settle('client_abort');
  }

  broken(error: VelloError): void {
    this.#fail(error, 'upstream_error');
  }

  unreadable(): void {
    const error = new VelloError('AUDIO_NOT_RECOGNISED', 'A frame cannot be decoded.');
    this.#fail(error, 'client_abort', CLOSE.malformed);
  }

  fault(error: unknown): void {
    this.#tell({ type: 'fault', error });
  }

  #pump(): void {
    if (this.#phase !== 'open') return;
    while (this.#isWanted) {
      const input = this.#intake.next(this.#nowMs());
      if (input === undefined) break;
      this.#pass(input);
    }
    this.#pace();
    if (this.#unacknowledgedBytes >= LIMITS.live.heardBytes) this.#acknowledge();
  }

  #pass(input: LiveInput): void {
    switch (input.type) {
      case 'audio':
        this.#unacknowledgedBytes += input.frame.length;
        this.#isWanted = this.#line?.send(input.frame) === true;
        return;
      case 'commit':
        this.#line?.commit();
        return;
      case 'end':
        this.#end();
    }
  }

  /** Comes back when the next may be passed on. */
  #pace(): void {
    if (!this.#isWanted || this.#pacing !== undefined) return;
    const waitMs = this.#intake.waitMs(this.#nowMs());
    if (waitMs === undefined) return;
    this.#pacing = this.#parts.clock.setTimer(waitMs, () => {
      this.#pacing = undefined;
      try {
        this.#pump();
      } catch (error) {
        this.fault(error);
      }
    });
  }

  #endItself(reason: LiveEnd['reason']): void {
    this.#endReason = reason;
    this.#end();
  }

  #end(): void {
    this.#enter('ending');
    this.#acknowledge();
    this.#line?.end();
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseMs = this.#nowMs();
  }

  #acknowledge(): void {
    this.#unacknowledgedBytes = 0;
    this.#desktop.acknowledge(this.#intake.heard, this.#nowMs());
  }

  /** Text: with it the provider has begun to answer. */
  #answer(message: LiveServerMessage): void {
    this.#firstTextMs ??= this.#nowMs() - this.#startedMs;
    this.#say(message);
  }

  #say(message: LiveServerMessage): void {
    this.#desktop.say(message, this.#nowMs());
  }

  /** What had begun to be answered and breaks off is paid for as far as it came, unless the failure is ours. */
  #fail(error: VelloError, outcome: Outcome, code: number = CLOSE.failed): void {
    const isCutShort = (outcome === 'upstream_error' || outcome === 'timeout') && error.code !== 'INTERNAL';
    const isAnswered = isCutShort && this.#firstTextMs !== undefined;
    this.#settle(isAnswered ? 'truncated' : outcome, { error, code });
  }

  /** Reports it, once, and tells the desktop how it has ended when that is durable. */
  #settle(outcome: Outcome, failure?: { readonly error: VelloError; readonly code: number }): void {
    if (this.#phase === 'settled') return;
    this.#enter('settled');
    this.#hasFailed = failure !== undefined;
    this.#pacing?.cancel();
    this.#line?.close();
    this.#forgetCaller();
    const { events, metrics } = this.#parts;
    metrics.count('vello_gateway_requests_total', { route: ROUTE, outcome });
    metrics.count('vello_gateway_bytes_total', { direction: 'in' }, this.#bytesIn);
    metrics.count('vello_gateway_bytes_total', { direction: 'out' }, this.#desktop.bytesOut);
    events.emit(this.#describe(outcome), () => {
      if (failure !== undefined) this.#part(failure.error, failure.code);
      else this.#sayLast();
      this.#onReported();
    });
  }

  /** The desktop closes the socket when it has this. */
  #sayLast(): void {
    const seconds = Math.round(this.#intake.seconds * 1000) / 1000;
    this.#lastWord = { type: 'end', reason: this.#endReason, audio_seconds: seconds };
    this.#say(this.#lastWord);
  }

  #part({ code, detail: message, retryable }: VelloError, closeCode: number): void {
    this.#say({ type: 'error', code, message, retryable });
    this.#desktop.close(closeCode);
    this.#tell({ type: 'over' });
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  #describe(outcome: Outcome): UsageEvent {
    return describeLive(this.start, {
      ...{ outcome, startedAtMs: this.#startedAtMs, durationMs: this.#nowMs() - this.#startedMs },
      ...{ bytesIn: this.#bytesIn, bytesOut: this.#desktop.bytesOut, audioSeconds: this.#intake.seconds },
      ...{ firstTextMs: this.#firstTextMs, usage: this.#usage, text: this.#texts.whole(), attempts: this.#attempts },
    });
  }
}
