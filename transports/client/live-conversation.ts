/**
 * Holds a live transcription over as many sockets as it takes: a lost connection is made again and what the gateway had not heard is said again;
 * a transcription that the gateway ended, for its silence, its length or its own stop, is followed by another while there is audio.
 */
import type { LiveEnd, LiveServerMessage } from '../../actors/live/live-protocol.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import { CLOSE } from '../../actors/sessions/desktop-protocol.ts';
import { backoffMs, pause } from './backoff.ts';
import { ClientError, localError } from './client-error.ts';
import { LiveOutbox, type LiveOutgoing } from './live-outbox.ts';
import { openLiveSocket, type LiveClientSocket } from './live-socket.ts';
import type { LiveTextsQueue } from './live-texts-queue.ts';

export interface LiveConversationDeps {
  readonly gatewayUrl: string;
  readonly clock: Clock;
  token(): Promise<string>;
  /** Another token, after the gateway refused this one. */
  replace(refused: string): Promise<string>;
}

export interface LiveWish {
  /** Of a new transcription. */
  readonly query: URLSearchParams;
  readonly sessionId: string;
  readonly signal: AbortSignal;
}

/** A gateway that ended one in order to stop is soon back, or another is there. */
const RESTART_MS = 30_000;

export class LiveConversation {
  readonly #deps: LiveConversationDeps;
  readonly #wish: LiveWish;
  readonly #texts: Pick<LiveTextsQueue, 'take' | 'goOn'>;
  readonly #outbox = new LiveOutbox();
  readonly #failing = new AbortController();
  readonly #signal: AbortSignal;
  #socket: LiveClientSocket | undefined;
  #seq = 0;
  #end: LiveEnd | undefined;
  #failure: ClientError | undefined;
  /** The audio is over. */
  #isSaid = false;
  /** For the outbox to change. */
  readonly #waiting: (() => void)[] = [];

  constructor(deps: LiveConversationDeps, wish: LiveWish, texts: Pick<LiveTextsQueue, 'take' | 'goOn'>) {
    this.#deps = deps;
    this.#wish = wish;
    this.#texts = texts;
    this.#signal = AbortSignal.any([wish.signal, this.#failing.signal]);
  }

  /** Resolves when all that was said has its text. */
  async hold(speech: AsyncGenerator<LiveOutgoing>): Promise<void> {
    try {
      await Promise.all([this.#speak(speech), this.#hear()]);
    } finally {
      this.#failing.abort();
    }
  }

  say(message: LiveOutgoing): void {
    this.#outbox.put(message);
    this.#changed();
    this.#pump();
  }

  async #speak(speech: AsyncGenerator<LiveOutgoing>): Promise<void> {
    try {
      for (;;) {
        // A microphone that says nothing any more keeps nobody.
        const next = await this.#unlessAborted(speech.next());
        if (next === undefined) return;
        if (next.done === true) break;
        this.say(next.value);
        while (this.#outbox.isFull && !this.#signal.aborted) await this.#unlessAborted(this.#change());
      }
    } finally {
      void speech.return(undefined).catch(() => undefined);
    }
    this.#isSaid = true;
    this.#changed();
  }

  async #hear(): Promise<void> {
    for (let patienceMs = 0; ; patienceMs = RESTART_MS) {
      const { reason } = await this.#transcribe(patienceMs);
      if (reason === 'asked') return;
      while (!this.#outbox.hasAudio) {
        if (this.#isSaid || this.#signal.aborted) return;
        await this.#unlessAborted(this.#change());
      }
      this.#texts.goOn();
      this.#outbox.restart();
    }
  }

  /** Resolves with the next change of the outbox. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Undefined where the signal aborts first. A race with one promise for all would keep what each of the others resolved to: an hour of audio. */
  #unlessAborted<T>(promise: Promise<T>): Promise<T | undefined> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const leave = () => resolve(undefined);
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave);
      void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }

  #changed(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** One transcription, to its end. Its first socket is tried for again for `patienceMs`. */
  async #transcribe(patienceMs: number): Promise<LiveEnd> {
    const { clock } = this.#deps;
    let liveId: string | undefined;
    let untilMs = clock.monotonicMs() + patienceMs;
    this.#seq = 0;
    this.#end = undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const socket = await this.#open(liveId);
        const { live_id: id, resume_within_ms: resumeWithinMs } = socket.ready;
        liveId = id;
        attempt = 0;
        const end = await this.#use(socket);
        if (end !== undefined) return end;
        untilMs = clock.monotonicMs() + resumeWithinMs;
      } catch (error) {
        const isLasting = !(error instanceof ClientError) || !error.retryable || this.#failure !== undefined;
        if (isLasting || clock.monotonicMs() >= untilMs) throw error;
      }
      await pause(clock, backoffMs(attempt + 1), this.#signal);
    }
  }

  async #open(liveId: string | undefined): Promise<LiveClientSocket> {
    const { clock, gatewayUrl } = this.#deps;
    const { query, sessionId } = this.#wish;
    const wanted = liveId === undefined ? query : new URLSearchParams({ live: liveId, seq: String(this.#seq) });
    const open = (token: string) =>
      openLiveSocket({
        url: `${gatewayUrl.replace(/^http/, 'ws')}/vello/live?${wanted.toString()}`,
        headers: { Authorization: `Bearer ${token}`, 'X-Session-Id': sessionId },
        clock,
        signal: this.#signal,
        onMessage: (message) => this.#take(message),
      });
    const token = await this.#deps.token();
    try {
      return await open(token);
    } catch (error) {
      if (!(error instanceof ClientError) || error.status !== 401) throw error;
      return open(await this.#deps.replace(token));
    }
  }

  /** Resolves when the socket is closed, with what the gateway said last. @throws ClientError where that is the end */
  async #use(socket: LiveClientSocket): Promise<LiveEnd | undefined> {
    this.#outbox.rewind(socket.ready.heard);
    this.#socket = socket;
    // It may have come together with the first message.
    if (this.#end !== undefined) socket.close();
    else this.#pump();
    const code = await socket.closed;
    this.#socket = undefined;
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#signal.aborted) throw localError('CLOSED', 'The transcription was cancelled.');
    if (code === CLOSE.replaced) throw localError('REPLACED', 'Another socket took over this transcription.');
    return this.#end;
  }

  #take(message: LiveServerMessage): void {
    switch (message.type) {
      case 'heard':
        this.#outbox.acknowledge(message.messages);
        this.#changed();
        this.#pump();
        return;
      case 'partial':
        this.#texts.take(message);
        return;
      case 'final':
        this.#seq = message.seq;
        this.#texts.take(message);
        return;
      case 'end':
        this.#end = message;
        this.#socket?.close();
        return;
      case 'error':
        this.#failure = new ClientError(message.code, message.message, { retryable: message.retryable });
        return;
      default:
        // A newer gateway may say more than we know.
        return;
    }
  }

  #pump(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const windowBytes = socket.ready.window_bytes;
    for (let next = this.#outbox.next(windowBytes); next !== undefined; next = this.#outbox.next(windowBytes)) {
      socket.send(next);
    }
  }
}
