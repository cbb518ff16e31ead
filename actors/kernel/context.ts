/** What an actor's own code is handed: a view of its incarnation that a definition's type makes precise. */
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { ActorContext, ActorTimers } from './actor.ts';
import { NORMAL, type ExitReason } from './exit-reason.ts';
import type { LiveActor } from './kernel.ts';
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

  stop(reason: ExitReason = NORMAL): void {
    this.actor.requestStop(reason);
  }
}
