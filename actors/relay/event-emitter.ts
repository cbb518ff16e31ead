/**
 * Sees to it that every usage event reaches its stream once and in order: batch by batch while the stream takes them,
 * otherwise through the spool. Nothing overtakes an event that waits. How either place works is left to the ports.
 */
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { EventOutlet, EventSpool } from '../ports/event-outlet.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { UsageEvent } from './usage-event.ts';

export interface EventEmitter extends EventSink {
  /** Opens the spool and begins to send, what an earlier process left first. */
  start(): Promise<void>;
  /** Sends or spools what is left. Events that are emitted later wait in memory for the next `start`. */
  stop(): Promise<void>;
  /** Events not yet on the stream. */
  readonly waiting: number;
}

export interface EventEmitterOptions {
  readonly outlet: EventOutlet;
  readonly spool: EventSpool;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export function createEventEmitter({ outlet, spool, clock, log, metrics }: EventEmitterOptions): EventEmitter {
  const { batch, retryMs, mostInMemory } = LIMITS.events;
  let queue: UsageEvent[] = [];
  let stopping = false;
  let wake: (() => void) | undefined;
  let loop: Promise<void> | undefined;
  let outage = false;
  /** Where a send failed, its events may be on the stream nevertheless. */
  let sentBefore = true;

  metrics.onScrape(() => metrics.gauge('vello_gateway_events_waiting', {}, queue.length + spool.waiting));

  const sleep = async (forMs: number | undefined) => {
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (forMs !== undefined) clock.setTimer(forMs, resolve);
    });
    wake = undefined;
  };

  const setOutage = (now: boolean) => {
    if (now === outage) return;
    outage = now;
    if (now) log.warn('usage events go to the spool: the stream does not take them');
    else log.info('usage events go to the stream again');
  };

  /** While the connection itself is being replaced, a send fails whole. */
  const send = (events: readonly UsageEvent[], before: boolean) => outlet.send(events, before).catch(() => events);

  /** False when neither the stream nor the disk took all of them. */
  const sendFromMemory = async (): Promise<boolean> => {
    const events = queue.splice(0, batch);
    const left = await send(events, false);
    if (left.length < events.length)
      metrics.count('vello_gateway_events_total', { way: 'direct' }, events.length - left.length);
    if (left.length === 0) {
      setOutage(false);
      return true;
    }
    setOutage(true);
    sentBefore = true;
    queue.unshift(...left);
    return moveToSpool();
  };

  /** False when the disk did not take them. */
  const moveToSpool = async (): Promise<boolean> => {
    const events = queue;
    queue = [];
    try {
      await spool.append(events);
      metrics.count('vello_gateway_events_total', { way: 'spooled' }, events.length);
      return true;
    } catch (error) {
      // The disk is as gone as the stream: memory is the last place left.
      queue = [...events, ...queue];
      log.error('usage events cannot be spooled', { events: queue.length, error });
      const lost = queue.splice(0, Math.max(0, queue.length - mostInMemory));
      if (lost.length > 0) log.error('usage events are lost', { eventIds: lost.map((event) => event.eventId) });
      return false;
    }
  };

  /** False when the stream does not take any. */
  const sendFromSpool = async (): Promise<boolean> => {
    const events = await spool.peek(batch);
    const left = await send(events, sentBefore);
    if (left.length > 0) return false;
    await spool.drop();
    metrics.count('vello_gateway_events_total', { way: 'replayed' }, events.length);
    if (spool.waiting === 0) {
      sentBefore = false;
      setOutage(false);
    }
    return true;
  };

  const run = async () => {
    for (;;) {
      let stuck = false;
      if (spool.waiting > 0) {
        // What is newer queues up behind what waits.
        if (queue.length > 0) stuck = !(await moveToSpool());
        if (isSet(stopping)) return;
        if (!(await sendFromSpool())) stuck = true;
      } else if (queue.length > 0) {
        stuck = !(await sendFromMemory());
      } else {
        if (isSet(stopping)) return;
        await sleep(undefined);
      }
      if (!stuck) continue;
      if (isSet(stopping)) return;
      await sleep(retryMs);
    }
  };

  return {
    emit: (event) => {
      queue.push(event);
      // While the stream is away only the timer wakes the sender, or each event would cost a failed attempt.
      if (!outage) wake?.();
    },
    start: async () => {
      stopping = false;
      await spool.open();
      sentBefore = spool.waiting > 0;
      loop = run();
    },
    stop: async () => {
      stopping = true;
      wake?.();
      await loop;
      await spool.close();
    },
    get waiting() {
      return queue.length + spool.waiting;
    },
  };
}

/** Asked through a call: the compiler cannot know that the flag changes while the sender waits. */
function isSet(flag: boolean): boolean {
  return flag;
}
