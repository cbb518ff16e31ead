/** What an actor's own code is handed: a view of its incarnation that a definition's type makes precise. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ActorContext, ActorDefinition, ActorTimers } from './actor.ts';
import { NORMAL, type ExitReason } from './exit-reason.ts';
import type { LiveActor } from './kernel.ts';
import { WITHDRAWN } from './notice.ts';
import type { Ref } from './ref.ts';

export const createContext = (actor: LiveActor): ActorContext<never> => new Context(actor);

/** The incarnation behind a context. For supervisors, which are actors that need the kernel's view of their children. */
export function liveActorOf(ctx: ActorContext<never>): LiveActor {
  if (ctx instanceof Context) return ctx.actor;
  throw new TypeError('not a context of this kernel');
}

class Context implements ActorContext<never> {
  readonly actor: LiveActor;
  #log: Log | undefined;

  constructor(actor: LiveActor) {
    this.actor = actor;
  }

  get self(): Ref<never> {
    return this.actor;
  }

  get signal(): AbortSignal {
    return this.actor.signal;
  }

  get clock(): Clock {
    return this.actor.kernel.clock;
  }

  get log(): Log {
    return (this.#log ??= this.actor.kernel.log.child({ actor: this.actor.path }));
  }

  get timers(): ActorTimers<never> {
    return this.actor.timers;
  }

  watch(target: Ref<never>, message: (reason: ExitReason) => never): () => void {
    const actor = this.actor;
    let isWithdrawn = false;
    const watch: { isOver: boolean; forget?: () => void } = { isOver: false };
    const unwatch = (target as unknown as LiveActor).onExit((reason) => {
      watch.isOver = true;
      watch.forget?.();
      actor.post({ attempt: 0, take: () => (isWithdrawn ? WITHDRAWN : message(reason)) });
    });
    if (!watch.isOver) watch.forget = actor.beforeGone(unwatch);
    return () => {
      isWithdrawn = true;
      unwatch();
      watch.forget?.();
    };
  }

  spawn<C>(id: string, definition: ActorDefinition<C>): Ref<C> {
    return this.actor.kernel.spawnUnder(this.actor, id, definition);
  }

  stop(reason: ExitReason = NORMAL): void {
    this.actor.requestStop(reason);
  }
}
