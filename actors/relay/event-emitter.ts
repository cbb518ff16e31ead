/**
 * Sees to it that every usage event is durable before its answer ends, and reaches its stream in order. What ends in one turn of the event
 * loop is written to the spool together; from there it goes to the stream, batch by batch. Where the disk takes nothing, memory holds the
 * events and the stream alone makes them durable. How either place works is left to the ports.
 */
import { LIMITS } from '../../config/limits.ts';
import type { Clock } from '../ports/clock.ts';
import type { AdmissionJournal } from '../ports/admission-journal.ts';
import type { EventOutlet, EventSpool } from '../ports/event-outlet.ts';
import type { EventSink } from '../ports/event-sink.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { UsageEvent } from './usage-event.ts';

export interface EventEmitter extends EventSink {
  /** Opens the spool and begins to send, what an earlier process left first. */
  start(): void;
  /**
   * Sends what can be sent now. What is emitted later is spooled as ever, and sent by `stop` or the next process.
   * @throws Error where events are in memory only
   */
  flush(): Promise<void>;
  /**
   * Sends or spools what is left. Events that are emitted later wait in memory for the next `start`.
   * @throws Error where events are in memory only and end with the process: their ids are in the log
   */
  stop(): Promise<void>;
  /** Events not yet on the stream. */
  readonly waiting: number;
}

export interface EventEmitterOptions {
  readonly outlet: EventOutlet;
  readonly spool: EventSpool;
  readonly journal: AdmissionJournal;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Emitted {
  readonly event: UsageEvent;
  readonly onDurable: (() => void) | undefined;
}

export function createEventEmitter({ outlet, spool, journal, clock, log, metrics }: EventEmitterOptions): EventEmitter {
  const { batch, retryMs, mostInMemory, sendMs } = LIMITS.events;
  /** Emitted in this turn. */
  let fresh: Emitted[] = [];
  let admitted: UsageEvent[] = [];
  /** Durable, and still noted as under way. */
  let endedIds: string[] = [];
  /** What the disk did not take; older than anything fresh. */
  let unspooled: Emitted[] = [];
  let isOpen = false;
  let isCommitting = false;
  let stopping = false;
  let wake: (() => void) | undefined;
  let loop: Promise<void> | undefined;
  let outage = false;
  let diskIsBad = false;
  /** Where a send failed, its events may be on the stream nevertheless. */
  let sentBefore = true;

  const waiting = () => fresh.length + unspooled.length + spool.waiting;
  metrics.onScrape(() => metrics.gauge('vello_gateway_events_waiting', {}, waiting()));

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
    if (now) log.warn('usage events stay in the spool: the stream does not take them');
    else log.info('usage events go to the stream again');
  };

  /** Moves all that is in memory to the spool, or leaves it there. */
  const spoolMemory = () => {
    const emitted = [...unspooled, ...fresh];
    const arrived = fresh;
    fresh = [];
    if (emitted.length === 0) return;
    try {
      spool.append(emitted.map(({ event }) => event));
    } catch (error) {
      keepInMemory(emitted, arrived, error);
      return;
    }
    unspooled = [];
    diskIsBad = false;
    settle(emitted);
  };

  const settle = (emitted: readonly Emitted[]) => {
    for (const { event, onDurable } of emitted) {
      endedIds.push(event.eventId);
      onDurable?.();
    }
  };

  const noteAdmissions = () => {
    const notes = [admitted, endedIds] as const;
    admitted = [];
    endedIds = [];
    try {
      journal.note(...notes);
    } catch (error) {
      if (!diskIsBad) log.error('admissions cannot be noted: if this process dies they go unreported', { error });
    }
  };

  const keepInMemory = (emitted: Emitted[], arrived: readonly Emitted[], error: unknown) => {
    if (!diskIsBad) log.error('usage events cannot be spooled and wait in memory', { events: emitted.length, error });
    diskIsBad = true;
    unspooled = emitted;
    const lost = unspooled.splice(0, Math.max(0, unspooled.length - mostInMemory));
    if (lost.length > 0) logLost(lost);
    if (arrived.length === 0) return;
    // An answer that was made is not held back for ever: its event is still sent when the stream or the disk is back.
    clock.setTimer(sendMs, () => {
      for (const { onDurable } of arrived) onDurable?.();
    });
  };

  const logLost = (lost: readonly Emitted[]) =>
    log.error('usage events are lost', { eventIds: lost.map(({ event }) => event.eventId) });

  const commit = () => {
    isCommitting = false;
    if (!isOpen) return;
    spoolMemory();
    noteAdmissions();
    // While the stream is away only the timer wakes the sender, or each event would cost a failed attempt.
    if (!outage) wake?.();
  };

  /** While the connection itself is being replaced, a send fails whole. */
  const send = async (events: readonly UsageEvent[]): Promise<readonly UsageEvent[]> => {
    const left = await outlet.send(events, sentBefore).catch(() => events);
    if (left.length > 0) sentBefore = true;
    setOutage(left.length > 0);
    return left;
  };

  /** False when the stream does not take all of them. */
  const sendFromSpool = async (): Promise<boolean> => {
    const events = spool.peek(batch);
    const way = sentBefore ? 'replayed' : 'direct';
    if ((await send(events)).length > 0) return false;
    spool.drop();
    metrics.count('vello_gateway_events_total', { way }, events.length);
    if (spool.waiting === 0 && unspooled.length === 0) sentBefore = false;
    return true;
  };

  /** Only while the disk takes nothing. False when the stream does not take all of them either. */
  const sendFromMemory = async (): Promise<boolean> => {
    const emitted = unspooled.slice(0, batch);
    const left = new Set(await send(emitted.map(({ event }) => event)));
    const sent = emitted.filter(({ event }) => !left.has(event));
    unspooled = unspooled.filter((one) => !sent.includes(one));
    settle(sent);
    noteAdmissions();
    metrics.count('vello_gateway_events_total', { way: 'direct' }, sent.length);
    return left.size === 0;
  };

  /** One step; false where nothing can be done for the moment. */
  const advance = async (): Promise<boolean> => {
    try {
      if (spool.waiting > 0) return await sendFromSpool();
      return await sendFromMemory();
    } catch (error) {
      // The disk: what was to be noted as sent is sent again, and recognised.
      log.error('the spool cannot be read or written', { error });
      sentBefore = true;
      return false;
    }
  };

  const run = async () => {
    for (;;) {
      if (spool.waiting + unspooled.length === 0) {
        if (isSet(stopping)) return;
        await sleep(undefined);
        continue;
      }
      if (await advance()) continue;
      if (isSet(stopping)) return;
      await sleep(retryMs);
      spoolMemory();
    }
  };

  const commitSoon = () => {
    if (!isCommitting) setImmediate(commit);
    isCommitting = true;
  };

  const flush = async () => {
    commit();
    stopping = true;
    wake?.();
    await loop;
    // Again for what came after an earlier flush.
    await run();
    spoolMemory();
    noteAdmissions();
    if (unspooled.length > 0) throw new Error(`${unspooled.length} usage events are in memory only.`);
  };

  return {
    admit: (event) => {
      admitted.push(event);
      commitSoon();
    },
    emit: (event, onDurable) => {
      fresh.push({ event, onDurable });
      commitSoon();
    },
    start: () => {
      stopping = false;
      spool.open();
      isOpen = true;
      sentBefore = spool.waiting > 0;
      const lost = journal.open();
      if (lost.length > 0) log.warn('requests of a gateway that died are reported as lost', { requests: lost.length });
      for (const event of lost) fresh.push({ event, onDurable: undefined });
      spoolMemory();
      noteAdmissions();
      loop = run();
    },
    flush,
    stop: async () => {
      if (!isOpen) return;
      try {
        await flush();
      } catch (error) {
        logLost(unspooled);
        throw error;
      } finally {
        isOpen = false;
        spool.close();
        journal.close();
      }
    },
    get waiting() {
      return waiting();
    },
  };
}

/** Asked through a call: the compiler cannot know that the flag changes while the sender waits. */
function isSet(flag: boolean): boolean {
  return flag;
}
