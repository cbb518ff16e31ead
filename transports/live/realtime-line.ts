/**
 * A call to a provider's realtime transcription over a WebSocket, in OpenAI's protocol ("Realtime transcription"): audio in JSON one way, text
 * the other. Our own inference role speaks it too, and takes audio as it is.
 */
import { WebSocket, type RawData } from 'ws';
import type { LiveFormat } from '../../actors/live/live-protocol.ts';
import type { SpeechLine, SpeechLineListener, SpokenAt } from '../../actors/live/speech-line.ts';
import type { Clock, Timer } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { ProviderKey } from '../../actors/relay/provider-key.ts';
import { VelloError } from '../../config/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import { CALLER_HEADER, callerName } from '../proxy/header-policy.ts';
import { KeyScrubber, scrubText } from '../proxy/key-scrubber.ts';
import { concernsOurAccount, errorOfRefusal, type UpstreamRefusal } from '../proxy/upstream-refusal.ts';
import { createPcmFeed, PROVIDER_RATE, type PcmFeed } from './pcm-feed.ts';
import { addUsage, readRealtimeEvent, type RealtimeEvent, type RealtimeFailure } from './realtime-events.ts';

export interface RealtimeCall {
  /** Of the provider, without `/v1`. */
  readonly baseUrl: string;
  readonly key: ProviderKey | undefined;
  /** Our own engine: it is told whose call it is, and takes every format. */
  readonly isOwn: boolean;
  readonly userId: string | undefined;
  readonly model: string;
  /** The empty string where none is named. */
  readonly language: string;
  readonly format: LiveFormat;
  readonly requestId: string;
}

export type CallRealtime = (call: RealtimeCall, listener: SpeechLineListener) => SpeechLine;

export const createRealtimeCaller =
  (world: { readonly clock: Clock; readonly log: Log }): CallRealtime =>
  (call, listener) =>
    new RealtimeLine(world, call, listener);

/** Names the commits that end a call, so that the refusal of one is known: nothing was left to commit. */
const LAST_COMMIT = 'vello_last_commit';
/** Names those before it, the refusal of which may arrive behind the end. */
const COMMIT = 'vello_commit';

class RealtimeLine implements SpeechLine {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #call: RealtimeCall;
  readonly #listener: SpeechLineListener;
  readonly #socket: WebSocket;
  readonly #deadline: Timer;
  /** What is said in turns is left to the provider, until it says that its model cannot. */
  #findsTurns = true;
  #feed: PcmFeed | undefined;
  #isReady = false;
  #isClosed = false;
  /** A `send` returned false. */
  #isHeldBack = false;
  #isEnding = false;
  /** The provider has nothing that is not committed. */
  #isAllCommitted = false;
  /** Committed, and without their text. */
  readonly #awaited = new Set<string>();
  readonly #spokenAt = new Map<string, { startMs?: number; endMs?: number }>();
  /** Of items that are being said. */
  readonly #scrubbers = new Map<string, KeyScrubber>();
  /** Items whose usage is in the sum. */
  readonly #counted = new Set<string>();
  #usage: Readonly<Record<string, unknown>> | undefined;

  constructor(
    { clock, log }: { readonly clock: Clock; readonly log: Log },
    call: RealtimeCall,
    listener: SpeechLineListener,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#call = call;
    this.#listener = listener;
    const secret = call.key?.reveal();
    const caller = call.isOwn ? callerName(call.userId, secret) : undefined;
    this.#socket = new WebSocket(`${call.baseUrl.replace(/^http/, 'ws')}/v1/realtime?intent=transcription`, {
      headers: {
        'User-Agent': 'vello-gateway',
        ...(secret === undefined ? {} : { Authorization: `Bearer ${secret}` }),
        ...(caller === undefined ? {} : { [CALLER_HEADER]: caller }),
      },
      perMessageDeflate: false,
      maxPayload: LIMITS.live.messageBytes,
      handshakeTimeout: LIMITS.live.readyMs,
    });
    this.#deadline = clock.setTimer(LIMITS.live.readyMs, () =>
      this.#guard(() => this.#break(new VelloError('UPSTREAM_TIMEOUT'))),
    );
    this.#listen();
  }

  send(frame: Uint8Array): boolean {
    const audio = this.#call.isOwn ? frame : this.#feed?.push(frame);
    if (audio === undefined) {
      this.#breakAsUnreadable();
      return false;
    }
    if (audio.length > 0) {
      const base64 = Buffer.from(audio.buffer, audio.byteOffset, audio.length).toString('base64');
      this.#sendText(`{"type":"input_audio_buffer.append","audio":"${base64}"}`);
    }
    this.#isHeldBack = this.#socket.bufferedAmount > LIMITS.live.upstreamBytes;
    return !this.#isHeldBack;
  }

  commit(): void {
    this.#commit(COMMIT);
  }

  end(): void {
    this.#isEnding = true;
    // The provider may not be there yet: nothing was sent to it.
    if (!this.#isReady) this.#isAllCommitted = true;
    else this.#commit(LAST_COMMIT);
    this.#look();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deadline.cancel();
    this.#feed?.close();
    // One that does not answer is cut by `ws` after half a minute; one that is not made yet, at once.
    this.#socket.close(1000);
  }

  #listen(): void {
    const socket = this.#socket;
    let isMade = false;
    socket.on('open', () => {
      isMade = true;
      this.#guard(() => this.#configure());
    });
    socket.on('message', (data) => this.#guard(() => this.#receive(data)));
    socket.on('unexpected-response', (request, { statusCode: status = 0, headers }) => {
      request.destroy();
      this.#guard(() => this.#onRefused(status, headers));
    });
    socket.on('error', (error) => {
      if (this.#isClosed) return;
      this.#warn('the call to the provider failed', { error: this.#scrub(error.message) });
      this.#guard(() => this.#break(new VelloError(isMade ? 'UPSTREAM_FAILED' : 'UPSTREAM_UNREACHABLE')));
    });
    socket.on('close', (code) => {
      if (this.#isClosed) return;
      this.#warn('the provider hung up', { code });
      this.#guard(() => this.#break(new VelloError('UPSTREAM_FAILED')));
    });
  }

  #configure(): void {
    const { isOwn, format, model, language } = this.#call;
    const own = format.codec === 'opus' ? { type: 'audio/opus' } : { type: 'audio/pcm', rate: format.rate };
    this.#say({
      type: 'session.update',
      session: {
        type: 'transcription',
        audio: {
          input: {
            format: isOwn ? own : { type: 'audio/pcm', rate: PROVIDER_RATE },
            transcription: { model, ...(language === '' ? {} : { language }) },
            turn_detection: this.#findsTurns ? { type: 'server_vad' } : null,
          },
        },
      },
    });
  }

  #receive(data: RawData): void {
    if (this.#isClosed) return;
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? Buffer.from(data) : data;
    // As a whole, for what is kept of it besides its texts.
    const event = readRealtimeEvent(this.#scrub(bytes.toString('utf8')));
    try {
      if (event === undefined) throw new VelloError('UPSTREAM_FAILED');
      this.#take(event);
    } catch (error) {
      if (!(error instanceof VelloError)) throw error;
      this.#break(error);
    }
  }

  #take(event: RealtimeEvent): void {
    switch (event.kind) {
      case 'configured':
        void this.#becomeReady();
        return;
      case 'started':
        this.#listener.begun(event.item);
        this.#note(event.item, event.startMs === undefined ? {} : { startMs: event.startMs });
        return;
      case 'stopped':
        this.#note(event.item, event.endMs === undefined ? {} : { endMs: event.endMs });
        return;
      case 'committed':
        this.#listener.begun(event.item);
        this.#awaited.add(event.item);
        // Perhaps by itself, and with more to hear behind it: asked again until nothing is left.
        if (this.#isEnding) this.#commit(LAST_COMMIT);
        return;
      case 'partial':
        this.#listener.partial(event.item, this.#scrubPiece(event.item, event.delta));
        return;
      case 'final':
        this.#count(event.item, event.usage);
        this.#listener.final(event.item, this.#scrub(event.text), this.#forget(event.item));
        this.#look();
        return;
      case 'failed':
        this.#warn('the provider could not transcribe a stretch', { code: this.#scrub(event.code) });
        this.#forget(event.item);
        this.#listener.failed(event.item, new VelloError('UPSTREAM_FAILED'));
        this.#look();
        return;
      case 'error':
        this.#onError(event.error);
        return;
      case 'other':
    }
  }

  /** Most errors leave the call as it is; before it is configured, none does. */
  #onError(error: RealtimeFailure): void {
    const isOfCommit = error.code === 'input_audio_buffer_commit_empty' && error.eventId !== COMMIT;
    if (this.#isEnding && (isOfCommit || error.eventId === LAST_COMMIT)) {
      this.#isAllCommitted = true;
      this.#look();
      return;
    }
    const [code, message] = [this.#scrub(error.code), this.#scrub(error.message)];
    this.#warn('the provider reports an error', { code, type: error.type, reason: message });
    if (this.#isReady) {
      // Our own engine decodes what others get decoded, and hangs up on what it cannot.
      if (this.#call.isOwn && code === 'AUDIO_NOT_RECOGNISED') this.#breakAsUnreadable();
      return;
    }
    if (this.#findsTurns && /turn.?detection/i.test(`${error.param} ${message}`)) {
      this.#findsTurns = false;
      this.#configure();
      return;
    }
    const body = JSON.stringify({ error: { ...error, code, message } });
    this.#refuse({ status: statusOf(error.type, code), headers: {}, body });
  }

  #onRefused(status: number, headers: UpstreamRefusal['headers']): void {
    this.#warn('the provider refuses the call', { status });
    // The desktop has no part in what was asked up to here.
    const isOffered = status === 429 || status >= 500 || concernsOurAccount(status);
    if (isOffered) this.#refuse({ status, headers, body: undefined });
    else this.#break(new VelloError('UPSTREAM_FAILED', 'The AI provider offers no live transcription.'));
  }

  #refuse(refusal: UpstreamRefusal): void {
    if (concernsOurAccount(refusal.status, refusal.body)) {
      this.#log.error('the provider refused our account', {
        requestId: this.#call.requestId,
        keyId: this.#call.key?.id,
      });
    }
    this.#break(errorOfRefusal(refusal, this.#clock.now()));
  }

  async #becomeReady(): Promise<void> {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#deadline.cancel();
    try {
      const feed = this.#call.isOwn ? undefined : await createPcmFeed(this.#call.format);
      if (this.#isClosed) feed?.close();
      else {
        this.#feed = feed;
        this.#listener.wanted();
      }
    } catch (error) {
      this.#listener.fault(error);
    }
  }

  /** An item that is said to be complete again has cost nothing again. */
  #count(item: string, usage: Readonly<Record<string, unknown>> | undefined): void {
    if (usage === undefined || this.#counted.has(item)) return;
    // Where there are more, the transcription ends.
    if (this.#counted.size < LIMITS.live.items) this.#counted.add(item);
    this.#listener.counted((this.#usage = addUsage(this.#usage, usage)));
  }

  #note(item: string, at: SpokenAt): void {
    if (this.#spokenAt.size < LIMITS.live.items) this.#spokenAt.set(item, { ...this.#spokenAt.get(item), ...at });
  }

  #forget(item: string): SpokenAt {
    const at = this.#spokenAt.get(item) ?? {};
    this.#spokenAt.delete(item);
    this.#scrubbers.delete(item);
    this.#awaited.delete(item);
    return at;
  }

  /** Whether all was said. */
  #look(): void {
    if (this.#isEnding && this.#isAllCommitted && this.#awaited.size === 0) this.#listener.done();
  }

  #commit(name: string): void {
    this.#say({ type: 'input_audio_buffer.commit', event_id: name });
  }

  #say(message: object): void {
    this.#sendText(JSON.stringify(message));
  }

  #sendText(text: string): void {
    if (this.#isClosed || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(text, () => {
      if (!this.#isHeldBack || this.#isClosed || this.#socket.bufferedAmount > LIMITS.live.upstreamBytes / 2) return;
      this.#isHeldBack = false;
      this.#guard(() => this.#listener.wanted());
    });
  }

  #break(error: VelloError): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.broken(error);
  }

  #breakAsUnreadable(): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.unreadable();
  }

  #scrub(text: string): string {
    return scrubText(text, this.#call.key?.reveal());
  }

  /** A key may be spread over the pieces of an item. What was held back of the last one is in the final text. */
  #scrubPiece(item: string, delta: string): string {
    const scrubber = this.#scrubbers.get(item) ?? new KeyScrubber(this.#call.key);
    if (this.#scrubbers.size < LIMITS.live.items) this.#scrubbers.set(item, scrubber);
    return scrubber.push(Buffer.from(delta)).toString();
  }

  #warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#log.warn(message, { requestId: this.#call.requestId, keyId: this.#call.key?.id, ...fields });
  }

  /** What a socket calls must not throw. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#listener.fault(error);
    }
  }
}

/** An error event has no status: it is what the same would be over HTTP. */
function statusOf(type: string, code: string): number {
  if (code.toUpperCase() === 'MODEL_NOT_FOUND') return 404;
  return type === 'invalid_request_error' ? 400 : 502;
}
