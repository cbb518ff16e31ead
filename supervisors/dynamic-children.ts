/**
 * The handle to children that come and go at run time, such as device sessions. A role makes it, names it in the
 * specification of the supervisor that will own them, and hands it to whoever starts and finds them.
 */
import type { ActorDefinition } from '../actors/kernel/actor.ts';
import { KernelError } from '../actors/kernel/errors.ts';
import type { LiveActor } from '../actors/kernel/kernel.ts';
import type { Ref } from '../actors/kernel/ref.ts';

export interface DynamicChildOptions {
  /** Default: temporary. */
  readonly restart?: 'permanent' | 'transient' | 'temporary';
  /** Default: 5000. */
  readonly shutdownMs?: number;
}

/** The supervisor's side of the handle. */
export interface DynamicOwner {
  startDynamic(id: string, start: () => ActorDefinition<never>, options: DynamicChildOptions): LiveActor;
  stopDynamic(id: string): void;
  findDynamic(id: string): LiveActor | undefined;
  readonly dynamicCount: number;
}

export class DynamicChildren {
  /** Present while the supervisor's incarnation accepts children. */
  #owner: DynamicOwner | undefined;

  attach(owner: DynamicOwner): void {
    this.#owner = owner;
  }

  detach(owner: DynamicOwner): void {
    if (this.#owner === owner) this.#owner = undefined;
  }

  get size(): number {
    return this.#owner?.dynamicCount ?? 0;
  }

  /** Throws KernelError: ACTOR_PARENT_STOPPED while the supervisor is not running, ACTOR_ID_TAKEN, ACTOR_ID_INVALID. */
  start<M>(
    id: string,
    definition: ActorDefinition<M> | (() => ActorDefinition<M>),
    options: DynamicChildOptions = {},
  ): Ref<M> {
    if (this.#owner === undefined) throw new KernelError('ACTOR_PARENT_STOPPED', `no supervisor is running for ${id}`);
    return this.#owner.startDynamic(id, typeof definition === 'function' ? definition : () => definition, options);
  }

  /** Ends the child in order and forgets it, whatever its restart type. */
  stop(id: string): void {
    this.#owner?.stopDynamic(id);
  }

  /** The present incarnation; the caller vouches for its message type. */
  find<M>(id: string): Ref<M> | undefined {
    return this.#owner?.findDynamic(id);
  }
}
