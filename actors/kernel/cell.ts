/** How an incarnation handles messages: fired timers first, then the mailbox, one turn at a time, never two handlers at once. */
import type { ActorDefinition, Behaviour } from './actor.ts';
import { messageTypeOf } from './dead-letters.ts';
import { toError } from './errors.ts';
import { Incarnation } from './incarnation.ts';
import type { Kernel, LiveActor, SpawnOptions } from './kernel.ts';
import { Mailbox } from './mailbox.ts';
import type { Reply, TellResult } from './ref.ts';
import { QUICK, QUICK_MS } from './type-stats.ts';

/** A turn ends after this many messages, or after this long: neither a chatty nor a slow actor holds the others up. */
const TURN_MESSAGES = 128;
const TURN_MS = 2;
/** How many fast messages may pass between two looks at the clock within a turn. */
const MESSAGES_PER_CLOCK_READ = 32;

export class Cell extends Incarnation implements LiveActor {
  isStuck = false;
  #isScheduled = false;
  #mailbox: Mailbox<unknown> | undefined = undefined;
  /** The message whose promise the actor waits for. */
  #handling: unknown = undefined;
  #waitingSinceMs = 0;

  constructor(
    kernel: Kernel,
    parent: LiveActor | undefined,
    id: string,
    definition: ActorDefinition<never>,
    options?: SpawnOptions,
  ) {
    super(kernel, parent, id, definition, options);
    this.#schedule();
  }

  protected get self(): LiveActor {
    return this;
  }

  get mailboxDepth(): number {
    return (this.#mailbox?.size ?? 0) + (this.openedTimers?.waiting ?? 0);
  }

  get inFlight(): { readonly messageType: string; readonly sinceMs: number } | undefined {
    if (!this.#isSuspended()) return undefined;
    const messageType = this.behaviour === undefined ? 'start' : messageTypeOf(this.#handling);
    return { messageType, sinceMs: this.#waitingSinceMs };
  }

  /** The actor's own code returned a promise that is not settled yet; it gets no turn until then. */
  #isSuspended(): boolean {
    return this.state === 'handling' || this.state === 'starting' || this.state === 'finishing';
  }

  // --- Messages in ---

  tell(message: unknown): TellResult {
    if (this.exitReason !== undefined) return this.#tellDead(message);
    const mailbox = (this.#mailbox ??= new Mailbox(this.definition.mailbox?.capacity));
    if (mailbox.isFull) return this.#tellFull(message);
    // First, because it makes sure of the time.
    if (!this.#isScheduled && this.state === 'running') this.#schedule();
    mailbox.push(message, this.kernel.dispatcher.readMs());
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

  #tellFull(message: unknown): TellResult {
    this.stats.dropped += 1;
    this.kernel.deadLetters.record('mailbox_full', this.path, this.stats, message);
    return 'mailbox_full';
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
    // One in flight may still answer; what it was to answer for somebody else cannot be waited for.
    this.kernel.asks.messageLost(this.#handling);
    this.#handling = undefined;
    const mailbox = this.#mailbox;
    this.#mailbox = undefined;
    while (mailbox !== undefined && mailbox.size > 0) {
      const message = mailbox.shift();
      this.kernel.deadLetters.record('stopped', this.path, this.stats, message);
      this.kernel.asks.messageLost(message);
    }
  }

  // --- Turns ---

  turn(startMs: number): number {
    this.#isScheduled = false;
    let handled = 0;
    switch (this.state) {
      case 'new':
        this.runStart();
        break;
      case 'running':
        handled = this.#handleFired() + this.#handlePresent(startMs);
        break;
      case 'leaving':
        this.runEnd();
        break;
      default:
        return startMs;
    }
    const endMs = this.kernel.clock.monotonicMs();
    // A turn is measured as a whole, whatever the number of messages.
    if (handled > 0 && this.kernel.measures) {
      const { stats } = this;
      const elapsedMs = endMs - startMs;
      stats.messages += handled;
      // An asynchronous handler still in flight is measured when it settles.
      const finished = this.#isSuspended() ? handled - 1 : handled;
      // Written out here: as a call, whose numbers are boxed, it takes a fifth of the time of an empty message.
      if (elapsedMs <= QUICK_MS) {
        const { quick } = stats;
        quick[QUICK.handled] = (quick[QUICK.handled] as number) + finished;
        quick[QUICK.handlerMs] = (quick[QUICK.handlerMs] as number) + elapsedMs;
      } else if (finished > 0) stats.handler.add(elapsedMs, finished);
    }
    this.scheduleIfNeeded();
    return endMs;
  }

  turnFailed(error: unknown): void {
    this.kill(`the kernel failed: ${toError(error).message}`);
  }

  /** Those that have fired. None can fire meanwhile: that takes a turn of the event loop. */
  #handleFired(): number {
    const timers = this.openedTimers;
    if (timers === undefined) return 0;
    let handled = 0;
    while (this.#canHandle()) {
      const fired = timers.take();
      if (fired === undefined) break;
      handled += 1;
      this.#handle(fired.message);
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
    // Messages told at the same time have waited alike, and are measured together.
    let sinceMs = mailbox.oldestSinceMs;
    let alike = 0;
    while (left > 0 && this.#canHandle()) {
      if (mailbox.oldestSinceMs !== sinceMs) {
        this.#measureWait(startMs - sinceMs, alike);
        sinceMs = mailbox.oldestSinceMs;
        alike = 0;
      }
      alike += 1;
      this.#handle(mailbox.shift());
      left -= 1;
      handled += 1;
      if (handled < nextClockRead || left === 0) continue;
      const elapsedMs = this.kernel.clock.monotonicMs() - startMs;
      if (elapsedMs >= TURN_MS) break;
      // Half of what the time left would pay for, so that messages that turn out slower do not overdraw it by much.
      const affordable = Math.floor((handled * (TURN_MS - elapsedMs)) / (2 * elapsedMs + Number.EPSILON));
      nextClockRead = handled + Math.max(1, Math.min(MESSAGES_PER_CLOCK_READ, affordable));
    }
    this.#measureWait(startMs - sinceMs, alike);
    return handled;
  }

  /** `times` messages waited for this turn, each as long. */
  #measureWait(waitMs: number, times: number): void {
    if (times === 0 || !this.kernel.measures) return;
    if (waitMs > QUICK_MS) return this.stats.wait.add(waitMs * times, times);
    const { quick } = this.stats;
    quick[QUICK.waits] = (quick[QUICK.waits] as number) + times;
    quick[QUICK.waitMs] = (quick[QUICK.waitMs] as number) + waitMs * times;
  }

  #handle(message: unknown): void {
    try {
      const result = (this.behaviour as Behaviour<unknown>).receive(message);
      if (result === undefined || typeof result.then !== 'function') return;
      this.#handling = message;
      this.beginWait();
      result.then(
        () => this.#settled(),
        (error: unknown) => this.#rejected(error),
      );
    } catch (error) {
      this.failed(messageTypeOf(message), error);
      this.kernel.asks.messageLost(message);
    }
  }

  /** The promise of an asynchronous handler settled. An incarnation that was killed meanwhile takes no notice. */
  #settled(): void {
    if (this.state === 'stopped') return;
    this.#handling = undefined;
    this.stats.handler.add(Math.max(0, this.kernel.clock.monotonicMs() - this.#waitingSinceMs), 1);
    this.endWait();
  }

  #rejected(error: unknown): void {
    if (this.state === 'stopped') return;
    const message = this.#handling;
    this.#settled();
    this.failed(messageTypeOf(message), error);
    this.kernel.asks.messageLost(message);
  }

  protected beginWait(): void {
    this.#waitingSinceMs = this.kernel.dispatcher.nowMs;
    this.kernel.dispatcher.noteSuspension();
    this.kernel.watchdog.handlerBegan(this);
    if (this.exitReason === undefined) this.state = this.behaviour === undefined ? 'starting' : 'handling';
    else {
      // Told to stop by its own code before the first await: the wait is part of the stop already.
      this.state = 'finishing';
      this.armDeadline();
    }
  }

  protected endWait(): void {
    if (this.isStuck) this.#setStuck(false);
    this.kernel.watchdog.handlerEnded(this);
    if (this.state === 'finishing') this.state = 'leaving';
    else this.state = this.behaviour === undefined ? 'new' : 'running';
    this.scheduleIfNeeded();
  }

  /** Through a call: the compiler cannot know that a handler changes the state. */
  #canHandle(): boolean {
    return this.state === 'running';
  }

  protected scheduleIfNeeded(): void {
    if (this.#isScheduled) return;
    if (this.state === 'leaving' || (this.state === 'running' && this.mailboxDepth > 0)) this.#schedule();
  }

  #schedule(): void {
    this.#isScheduled = true;
    this.kernel.dispatcher.enqueue(this);
  }

  // --- Watchdog ---

  checkHandler(nowMs: number): void {
    const { handlerDeadlineMs } = this.definition;
    if (this.isStuck || handlerDeadlineMs === undefined || nowMs - this.#waitingSinceMs < handlerDeadlineMs) return;
    this.#setStuck(true);
    this.kernel.log.warn('actor is stuck', {
      actor: this.path,
      message: this.inFlight?.messageType,
      handlerDeadlineMs,
    });
  }

  #setStuck(isStuck: boolean): void {
    this.isStuck = isStuck;
    this.stats.stuck += isStuck ? 1 : -1;
  }
}
