/** Owns the life of the event emitter: opens its spool, and sees that nothing is left in memory at the end, or that the end says so. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { DrainPlan } from '../ports/drain.ts';
import type { EventEmitter } from './event-emitter.ts';

export function eventEmitterActor(emitter: EventEmitter, drain: DrainPlan): ActorDefinition<never> {
  return {
    type: 'event-emitter',
    start: () => {
      emitter.start();
      const withdraw = drain.on('flush', 'usage events', () => emitter.flush());
      return {
        receive: () => undefined,
        stop: async () => {
          withdraw();
          await emitter.stop();
        },
        describe: () => ({ waiting: emitter.waiting }),
      };
    },
  };
}
