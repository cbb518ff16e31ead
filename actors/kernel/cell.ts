/**
 * How an incarnation handles messages: two lanes, one turn at a time, never two handlers at once. A failed message is
 * reported to the observer, which decides what becomes of it.
 */
import type { ActorDefinition, Behaviour } from './actor.ts';
import { messageTypeOf } from './dead-letters.ts';
import { toError } from './errors.ts';
import { NORMAL } from './exit-reason.ts';
import { CRASH, type Decision } from './failure.ts';
import { Incarnation } from './incarnation.ts';
import type { Kernel, LiveActor, SpawnOptions } from './kernel.ts';
import { Mailbox } from './mailbox.ts';
import { WITHDRAWN, type Notice } from './notice.ts';
import type { Reply, TellResult } from './ref.ts';
import { Ring } from './ring.ts';
import { QUICK, QUICK_MS } from './type-stats.ts';

/** A turn ends after this many messages, or after this long: neither a chatty nor a slow actor holds the others up. */
const TURN_MESSAGES = 128;
const TURN_MS = 2;
/** How many fast messages may pass between two looks at the clock within a turn. */
const MESSAGES_PER_CLOCK_READ = 32;

export class Cell extends Incarnation implements LiveActor {
  isPaused = false;
  isStuck = false;
  #isScheduled = false;
  /** When it was last given work while idle: what its first message of the next turn has waited. */
  #readySinceMs = 0;
  #lastActiveMs: number;
  #mailbox: Mailbox<unknown> | undefined = undefined;
  #control: Ring<Notice> | undefined = undefined;
  /** The message whose promise the actor waits for. */
  #handling: unknown = undefined;
  #handlingAttempt = 0;
  #waitingSinceMs = 0;

  constructor(
    kernel: Kernel,
    parent: LiveActor | undefined,
    id: string,
    definition: ActorDefinition<never>,
    options?: SpawnOptions,
  ) {
    super(kernel, parent, id, definition, options);
    this.#lastActiveMs = kernel.dispatcher.nowMs;
    this.#schedule();
  }

  protected get self(): LiveActor {
    return this;
  }

  get mailboxDepth(): number {
    return (
      (this.#mailbox === undefined ? 0 : this.#mailbox.size) + (this.#control === undefined ? 0 : this.#control.size)
    );
  }

  get inFlight(): { readonly messageType: string; readonly sinceMs: number } | undefined {
    if (!this.isSuspended) return undefined;
    const messageType = this.phase === 'starting' ? 'start' : messageTypeOf(this.#handling);
    return { messageType, sinceMs: this.#waitingSinceMs };
  }

  // --- Messages in ---

  tell(message: unknown): TellResult {
    if (this.exitReason !== undefined) return this.#tellDead(message);
    const mailbox = (this.#mailbox ??= this.#openMailbox());
    if (mailbox.push(message) === 'full') {
      this.stats.dropped += 1;
      const dropped = mailbox.givesWay ? mailbox.shift() : message;
      this.kernel.deadLetters.record('mailbox_full', this.path, this.stats, dropped);
      if (!mailbox.givesWay) return 'mailbox_full';
      mailbox.push(message);
    }
    if (!this.#isScheduled && !this.isSuspended && !this.isPaused) this.#schedule();
    return 'delivered';
  }

  ask<R>(message: (reply: Reply<R>) => unknown, timeoutMs: number): Promise<R> {
    const ask = this.kernel.asks.open<R>(this, timeoutMs);
    try {
      const result = this.tell(message(ask));
      if (result === 'dead') ask.expire('ASK_TARGET_STOPPED');
      else if (result === 'mailbox_full') ask.expire('ASK_MAILBOX_FULL');
    } catch (error) {
      ask.fail(toError(error));
    }
    return ask.promise;
  }

  post(notice: Notice): void {
    if (this.exitReason !== undefined) return;
    (this.#control ??= new Ring()).push(notice);
    this.scheduleIfNeeded();
  }

  #openMailbox(): Mailbox<unknown> {
    const settings = (this.definition as ActorDefinition<unknown>).mailbox;
    return new Mailbox(settings?.capacity, settings?.overflow);
  }

  #tellDead(message: unknown): TellResult {
    const path = this.path;
    const successor = this.parent === undefined ? this.kernel.roots.get(this.id) : this.parent.children?.get(this.id);
    const isStale = successor !== undefined && successor !== this;
    this.kernel.deadLetters.record(isStale ? 'stale_incarnation' : 'stopped', path, this.stats, message);
    return 'dead';
  }

  protected discardMessages(): void {
    if (this.isStuck) this.#setStuck(false);
    const mailbox = this.#mailbox;
    if (mailbox !== undefined) {
      while (mailbox.size > 0) this.kernel.deadLetters.record('stopped', this.path, this.stats, mailbox.shift());
    }
    this.#mailbox = undefined;
    this.#control = undefined;
    this.#handling = undefined;
  }

  // --- Turns ---

  turn(startMs: number): number {
    this.#isScheduled = false;
    if (this.phase === 'stopped' || this.isSuspended) return startMs;
    let handled = 0;
    const readySinceMs = this.#readySinceMs;
    if (this.exitReason !== undefined) this.runEnd();
    else if (this.phase === 'starting') this.runStart();
    else handled = this.#handleControl() + this.#handlePresent(startMs);
    const endMs = this.kernel.clock.monotonicMs();
    this.#lastActiveMs = endMs;
    // A turn is measured as a whole, whatever the number of messages.
    if (handled > 0 && this.kernel.measures) {
      const { stats } = this;
      const waitMs = startMs - readySinceMs;
      const elapsedMs = endMs - startMs;
      stats.messages += handled;
      // An asynchronous handler still in flight is measured when it settles.
      const finished = this.#isInFlight() ? handled - 1 : handled;
      // Written out here: as a call, whose numbers are boxed, it takes a fifth of the time of an empty message.
      if (waitMs <= QUICK_MS && elapsedMs <= QUICK_MS) {
        const { quick } = stats;
        quick[QUICK.turns] = (quick[QUICK.turns] as number) + 1;
        quick[QUICK.messages] = (quick[QUICK.messages] as number) + finished;
        quick[QUICK.handlerMs] = (quick[QUICK.handlerMs] as number) + elapsedMs;
        quick[QUICK.waitMs] = (quick[QUICK.waitMs] as number) + waitMs;
      } else stats.addTurn(finished, waitMs, elapsedMs);
    }
    this.scheduleIfNeeded();
    return endMs;
  }

  /** Read through a call: the compiler cannot know that a handler suspends its actor. */
  #isInFlight(): boolean {
    return this.isSuspended;
  }

  turnFailed(error: unknown): void {
    this.kill(`the kernel failed: ${toError(error).message}`);
  }

  /** The control lane goes first, up to a turn's limit: a handler that answers each notice with the next must not hold the event loop. */
  #handleControl(): number {
    let handled = 0;
    let left = TURN_MESSAGES;
    while (left-- > 0 && this.#control !== undefined && this.#control.size > 0 && this.#canHandle()) {
      const notice = this.#control.shift();
      const message = notice?.take();
      if (notice === undefined || message === WITHDRAWN) continue;
      handled += 1;
      this.#handle(message, notice.attempt);
    }
    return handled;
  }

  /** Handles the messages that are there now, up to the turn's limits; what arrives meanwhile waits for the next turn. */
  #handlePresent(startMs: number): number {
    const mailbox = this.#mailbox;
    if (mailbox === undefined) return 0;
    let left = Math.min(mailbox.size, TURN_MESSAGES);
    let handled = 0;
    let nextClockRead = 1;
    while (left > 0 && this.#canHandle()) {
      this.#handle(mailbox.shift(), 0);
      left -= 1;
      handled += 1;
      if (this.#control !== undefined && this.#control.size > 0) handled += this.#handleControl();
      if (handled < nextClockRead || left === 0) continue;
      const elapsedMs = this.kernel.clock.monotonicMs() - startMs;
      if (elapsedMs >= TURN_MS) break;
      // Half of what the time left would pay for, so that messages that turn out slower do not overdraw it by much.
      const affordable = Math.floor((handled * (TURN_MS - elapsedMs)) / (2 * elapsedMs + Number.EPSILON));
      nextClockRead = handled + Math.max(1, Math.min(MESSAGES_PER_CLOCK_READ, affordable));
    }
    return handled;
  }

  #handle(message: unknown, attempt: number): void {
    try {
      const result = (this.behaviour as Behaviour<unknown>).receive(message);
      if (result === undefined || typeof result.then !== 'function') return;
      this.#handling = message;
      this.#handlingAttempt = attempt;
      this.beginWait();
      result.then(
        () => this.#settled(undefined),
        (error: unknown) => this.#settled(toError(error)),
      );
    } catch (error) {
      this.#fail(message, toError(error), attempt);
    }
  }

  /** The promise of an asynchronous handler settled. An incarnation that was killed meanwhile takes no notice. */
  #settled(error: Error | undefined): void {
    if (this.phase === 'stopped') return;
    const message = this.#handling;
    this.#handling = undefined;
    this.isSuspended = false;
    this.stats.handler.add(Math.max(0, this.kernel.clock.monotonicMs() - this.#waitingSinceMs), 1);
    if (error !== undefined) this.#fail(message, error, this.#handlingAttempt);
    this.endWait();
  }

  protected beginWait(): void {
    this.isSuspended = true;
    this.#waitingSinceMs = this.kernel.dispatcher.nowMs;
    this.kernel.dispatcher.noteSuspension();
    this.kernel.watchdog.handlerBegan(this);
    // Told to stop by its own code before the first await: the wait is part of the stop already.
    if (this.exitReason !== undefined) this.armDeadline();
  }

  protected endWait(): void {
    if (this.isStuck) this.#setStuck(false);
    this.kernel.watchdog.handlerEnded(this);
    this.#lastActiveMs = this.kernel.dispatcher.nowMs;
    this.scheduleIfNeeded();
  }

  #canHandle(): boolean {
    return !this.isSuspended && !this.isPaused && this.exitReason === undefined;
  }

  protected scheduleIfNeeded(): void {
    if (this.#isScheduled || this.isSuspended || this.phase === 'stopped') return;
    if (this.exitReason === undefined ? this.isPaused || this.mailboxDepth === 0 : this.isEnding) return;
    this.#schedule();
  }

  #schedule(): void {
    const dispatcher = this.kernel.dispatcher;
    this.#isScheduled = true;
    dispatcher.enqueue(this);
    this.#readySinceMs = dispatcher.nowMs;
  }

  // --- Failure ---

  #fail(message: unknown, error: Error, previousAttempts: number): void {
    this.stats.failures += 1;
    const attempt = previousAttempts + 1;
    if (this.exitReason !== undefined) return;
    this.#obey(this.#judge(message, error, attempt), message, error, attempt);
  }

  #judge(message: unknown, error: Error, attempt: number): Decision {
    const observer = this.options.observer;
    if (observer === undefined) return CRASH;
    try {
      return observer.failed(this, { ref: this, messageType: messageTypeOf(message), error, attempt });
    } catch (fault) {
      this.kernel.log.error('the decision about a failure failed', { actor: this.path, error: toError(fault) });
      return CRASH;
    }
  }

  #obey(decision: Decision, message: unknown, error: Error, attempt: number): void {
    switch (decision.kind) {
      case 'crash':
        this.crashedOn = messageTypeOf(message);
        return this.requestStop({ kind: 'crashed', error });
      case 'deadLetter':
        return this.kernel.deadLetters.record('failed', this.path, this.stats, message);
      case 'retry':
        return this.#retryAfter(decision.delayMs, { attempt, take: () => message });
      case 'pause':
        this.isPaused = true;
        (this.#control ??= new Ring()).unshift({ attempt, take: () => message });
        if (decision.forMs !== undefined) this.#after(decision.forMs, () => this.resume());
    }
  }

  #retryAfter(delayMs: number, notice: Notice): void {
    if (delayMs > 0) return this.#after(delayMs, () => this.post(notice));
    (this.#control ??= new Ring()).unshift(notice);
  }

  /** Like a timer of the actor's own: it does nothing once the incarnation has ended. */
  #after(delayMs: number, act: () => void): void {
    const timer = this.kernel.clock.setTimer(delayMs, () => {
      forget();
      act();
    });
    const forget = this.beforeGone(() => timer.cancel());
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.scheduleIfNeeded();
  }

  // --- Watchdog ---

  checkHandler(nowMs: number): void {
    const { handlerDeadlineMs, whenStuck } = this.definition;
    if (handlerDeadlineMs === undefined || nowMs - this.#waitingSinceMs < handlerDeadlineMs) return;
    if (!this.isStuck) {
      this.#setStuck(true);
      this.kernel.log.warn('actor is stuck', {
        actor: this.path,
        message: this.inFlight?.messageType,
        handlerDeadlineMs,
      });
    }
    if (whenStuck === 'abandon') this.kill(`stuck for ${Math.round(nowMs - this.#waitingSinceMs)} ms`);
  }

  checkIdle(nowMs: number): void {
    const { passivateAfterMs } = this.definition;
    if (passivateAfterMs === undefined || this.isSuspended || this.isPaused || this.mailboxDepth > 0) return;
    if (nowMs - this.#lastActiveMs >= passivateAfterMs) this.requestStop(NORMAL);
  }

  #setStuck(isStuck: boolean): void {
    this.isStuck = isStuck;
    this.stats.stuck += isStuck ? 1 : -1;
  }
}
