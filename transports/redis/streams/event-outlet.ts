/** Adds usage events to their Redis streams, a batch at a time (contract §4). When to try again is decided by the emitter. */
import type { Redis } from 'ioredis';
import type { EventOutlet } from '../../../actors/events/event-outlet.ts';
import type { UsageEvent } from '../../../actors/events/usage-event.ts';
import { LIMITS } from '../../../config/limits.ts';
import { streamKey } from '../../../config/streams.ts';
import { sendXadds } from './xadd-batch.ts';

/** Entries of a stream that are searched for an event that may be there; more were surely added in between only by an outage of hours. */
const SEARCHED = 10_000;

/** @param redis a `command` connection. */
export function createEventOutlet(redis: Redis): EventOutlet {
  const add = async (events: readonly UsageEvent[]): Promise<readonly UsageEvent[]> => {
    if (redis.status !== 'ready' || events.length === 0) return events;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(events), LIMITS.events.sendMs);
      sendXadds(redis, events, (refused) => {
        clearTimeout(timer);
        resolve(refused);
      });
    });
  };

  return {
    send: async (events, sentBefore) => {
      if (!sentBefore || redis.status !== 'ready') return add(events);
      let known: Set<string>;
      try {
        known = await within(findEventIds(redis, events), LIMITS.events.sendMs * 5);
      } catch {
        return events;
      }
      return add(events.filter((event) => !known.has(event.eventId)));
    },
  };
}

/** Ids of the events that are on the streams these events belong to, as far back as is looked. */
async function findEventIds(redis: Redis, events: readonly UsageEvent[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const type of new Set(events.map((event) => event.type))) {
    for (const [, fields] of await redis.xrevrange(streamKey(type), '+', '-', 'COUNT', SEARCHED)) {
      const at = fields.indexOf('event_id');
      const id = at === -1 ? undefined : fields[at + 1];
      if (id !== undefined) found.add(id);
    }
  }
  return found;
}

async function within<T>(result: Promise<T>, withinMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('Redis did not answer in time.')), withinMs);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
