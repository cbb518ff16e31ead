/** Owns the life of a recognition pool: takes work while it runs, refuses what waits when it stops, and shows the queue. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { RecognitionPool } from './recognition-pool.ts';

export function recognitionQueueActor(pool: RecognitionPool): ActorDefinition<never> {
  return {
    type: 'recognition-queue',
    start: () => {
      pool.open();
      return { receive: () => undefined, stop: () => pool.close(), describe: () => pool.counts() };
    },
  };
}
