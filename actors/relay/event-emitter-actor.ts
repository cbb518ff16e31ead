/** Owns the life of the event emitter: opens its spool, and sees that nothing is left in memory at the end. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { EventEmitter } from './event-emitter.ts';

export function eventEmitterActor(emitter: EventEmitter): ActorDefinition<never> {
  return {
    type: 'event-emitter',
    start: async () => {
      await emitter.start();
      return {
        receive: () => undefined,
        stop: () => emitter.stop(),
        describe: () => ({ waiting: emitter.waiting }),
      };
    },
  };
}
