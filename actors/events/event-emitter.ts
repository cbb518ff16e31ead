/**
 * Sees to it that every usage event is durable before its answer ends, and reaches its stream in order. What ends in one turn of the event
 * loop is written to the spool together; from there it goes to the stream, batch by batch. Where the disk takes nothing, memory holds the
 * events and the stream alone makes them durable. How either place works is left to the ports.
 */
import { LIMITS } from '../../config/limits.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import { owned } from '../kernel/owned.ts';
import type { Clock } from '../ports/clock.ts';
import type { DrainPlan } from '../ports/drain.ts';
import { type AdmissionJournal, AdmissionNotes } from './admission-notes.ts';
import type { EventOutlet, EventSpool } from './event-outlet.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { AdmittedRequest, UsageEvent } from './usage-event.ts';

/** Where the gateway leaves its usage events. */
export interface EventSink {
  /**
   * A request was admitted: should this process die before it ends, its event says that it is lost. Never fails. `onNoted` is called once
   * that is written down, at the end of this turn of the event loop, or where the disk does not take it.
   */
  admit(request: AdmittedRequest, onNoted?: () => void): void;
  /**
   * Takes the event at once and never fails. `onDurable` is called once the death of this process cannot take it any more, at the end of
   * this turn of the event loop; or, where neither disk nor stream takes it, when it has been waited for long enough.
   */
  emit(event: UsageEvent, onDurable?: () => void): void;
}

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
  /** Taken away when it is called. */
  onDurable: (() => void) | undefined;
}

export function createEventEmitter({ outlet, spool, journal, clock, log, metrics }: EventEmitterOptions): EventEmitter {
  const { batch, gatherMs, retryMs, mostInMemory, sendMs, checkpointMs } = LIMITS.events;
  const notes = new AdmissionNotes({ journal, spool, clock, log });
  /** Emitted in this turn. */
  let fresh: Emitted[] = [];
  /** Of requests admitted in this turn. */
  let onNoted: (() => void)[] = [];
  /** What the disk did not take; older than anything fresh. */
  let unspooled: Emitted[] = [];
  let isOpen = false;
  let spoolIsOpen = false;
  let isCommitting = false;
  let checkpointIsDue = false;
  let stopping = false;
  let wake: (() => void) | undefined;
  let loop: Promise<void> | undefined;
  let outage = false;
  /** Since the disk refused something. */
  let diskIsBad = false;
  let diskTriedMs = -Infinity;
  /** Since it could not be read or written while sending. */
  let spoolIsStuck = false;
  let progressIsStuck = false;
  /** Since something was sent, and for a while after. */
  let isGathering = false;
  /** Of the oldest in the spool: they may be on the stream already, sent by a process before this one or in a batch that failed. */
  let doubtful = 0;
  /** So may those in memory. */
  let memoryIsDoubtful = false;

  const waiting = () => fresh.length + unspooled.length + spool.waiting;
  metrics.onScrape(() => metrics.gauge('vello_gateway_events_waiting', {}, waiting()));

  const sleep = async (forMs: number | undefined) => {
    await new Promise<void>((resolve) => {
      const timer = forMs === undefined ? undefined : clock.setTimer(forMs, resolve);
      wake = () => {
        timer?.cancel();
        resolve();
      };
    });
    wake = undefined;
  };

  const setOutage = (now: boolean) => {
    if (now === outage) return;
    outage = now;
    if (now) log.warn('usage events stay in the spool: the stream does not take them');
    else log.info('usage events go to the stream again');
  };

  /** Moves all that is in memory to the spool, as far as the disk takes it. */
  const spoolMemory = () => {
    const arrived = fresh;
    fresh = [];
    // A disk that is full stays so for a while, and what waits may be much.
    if (diskIsBad && clock.monotonicMs() - diskTriedMs < retryMs) {
      keepInMemory(arrived);
      return;
    }
    try {
      if (!spoolIsOpen) openSpool();
      while (unspooled.length > 0) {
        append(unspooled.slice(0, batch));
        unspooled = unspooled.slice(batch);
        if (memoryIsDoubtful) doubtful = spool.waiting;
      }
      memoryIsDoubtful = false;
      append(arrived);
    } catch (error) {
      if (!diskIsBad) log.error('usage events cannot be spooled and wait in memory', { events: arrived.length, error });
      diskIsBad = true;
      diskTriedMs = clock.monotonicMs();
      keepInMemory(arrived);
    }
  };

  const append = (emitted: readonly Emitted[]) => {
    if (emitted.length === 0) return;
    spool.append(emitted.map(({ event }) => event));
    diskIsBad = false;
    settle(emitted);
  };

  const settle = (emitted: Iterable<Emitted>) => {
    for (const one of emitted) {
      notes.end(one.event.eventId);
      settleAnswer(one);
    }
    checkpointSoon();
  };

  /** Once, though it be released after a while and durable later. What it throws is the answer's own trouble: neither the disk's, nor that of others. */
  const settleAnswer = (emitted: Emitted) => {
    const { event, onDurable } = emitted;
    emitted.onDurable = undefined;
    try {
      onDurable?.();
    } catch (error) {
      log.error('an answer that waited for its event failed', { eventId: event.eventId, error });
    }
  };

  const openSpool = () => {
    spool.open();
    spoolIsOpen = true;
    doubtful = spool.waiting;
  };

  const noteAdmissions = () => {
    const lost = notes.write();
    if (lost.length === 0) return;
    for (const event of lost) fresh.push({ event, onDurable: undefined });
    commitSoon();
  };

  const checkpointSoon = () => {
    if (checkpointIsDue) return;
    checkpointIsDue = true;
    clock.setTimer(checkpointMs, () => {
      if (isOpen && checkpointIsDue) checkpoint();
    });
  };

  /** In this order: while an event is in the spool it does not matter that its request is not struck out. */
  const checkpoint = () => {
    checkpointIsDue = false;
    noteAdmissions();
    try {
      if (spoolIsOpen) spool.noteProgress();
      progressIsStuck = false;
    } catch (error) {
      if (!progressIsStuck) log.error('what was sent cannot be noted: it is sent again after a restart', { error });
      progressIsStuck = true;
    }
  };

  const keepInMemory = (arrived: readonly Emitted[]) => {
    if (arrived.length === 0) return;
    for (const one of arrived) unspooled.push(one);
    const lost = unspooled.splice(0, Math.max(0, unspooled.length - mostInMemory));
    if (lost.length > 0) logLost(lost);
    // An answer that was made is not held back for ever: its event is still sent when the stream or the disk is back.
    clock.setTimer(sendMs, () => arrived.forEach(settleAnswer));
  };

  const logLost = (lost: readonly Emitted[]) =>
    log.error('usage events are lost', { eventIds: lost.map(({ event }) => event.eventId) });

  const commit = () => {
    isCommitting = false;
    if (isOpen) write();
    const noted = onNoted;
    onNoted = [];
    for (const notify of noted) {
      try {
        notify();
      } catch (error) {
        log.error('a request that waited for its note failed', { error });
      }
    }
  };

  const write = () => {
    toDisk();
    // While the stream is away, or the spool cannot be read, only the timer wakes the sender: each event would cost a failed attempt.
    if (!outage && !spoolIsStuck && !(isGathering && mayGather())) wake?.();
  };

  /** What is on the disk can wait for what comes next; an answer waits for what is in memory. */
  const mayGather = () => unspooled.length === 0 && spool.waiting < batch;

  const toDisk = () => {
    spoolMemory();
    if (notes.isDue) noteAdmissions();
  };

  /** While the connection itself is being replaced, a send fails whole. */
  const send = async (events: readonly UsageEvent[], sentBefore: boolean): Promise<readonly UsageEvent[]> => {
    const left = await outlet.send(events, sentBefore).catch(() => events);
    setOutage(left.length > 0);
    return left;
  };

  /** False when the stream does not take all of them. */
  const sendFromSpool = async (): Promise<boolean> => {
    const sentBefore = doubtful > 0;
    // What is in doubt is looked for on the stream: what came after it need not be.
    const most = Math.min(batch, sentBefore ? doubtful : spool.waiting);
    const events = spool.peek(most);
    // None where all that was read is damaged.
    if (events.length > 0 && (await send(events, sentBefore)).length > 0) {
      doubtful = Math.max(doubtful, most);
      return false;
    }
    const before = spool.waiting;
    spool.drop();
    doubtful = Math.max(0, doubtful - (before - spool.waiting));
    if (spool.waiting === before) {
      // Its count is wrong, and is taken anew.
      spoolIsOpen = false;
      throw new Error(`The spool says that ${before} events wait, and gives none.`);
    }
    if (spool.isSpent) checkpoint();
    else checkpointSoon();
    metrics.count('vello_gateway_events_total', { way: sentBefore ? 'replayed' : 'direct' }, events.length);
    return true;
  };

  /** Only while the disk takes nothing. False when the stream does not take all of them either. */
  const sendFromMemory = async (): Promise<boolean> => {
    const emitted = unspooled.slice(0, batch);
    const events = emitted.map(({ event }) => event);
    const sending = send(events, memoryIsDoubtful);
    // The disk may take them meanwhile.
    memoryIsDoubtful = true;
    const left = new Set(await sending);
    memoryIsDoubtful = left.size > 0;
    const sent = new Set(emitted.filter(({ event }) => !left.has(event)));
    unspooled = unspooled.filter((one) => !sent.has(one));
    settle(sent);
    metrics.count('vello_gateway_events_total', { way: 'direct' }, sent.size);
    return left.size === 0;
  };

  /** One step; false where nothing can be done for the moment. */
  const advance = async (): Promise<boolean> => {
    try {
      const isWhole = spool.waiting === 0 ? await sendFromMemory() : await sendFromSpool();
      spoolIsStuck = false;
      return isWhole;
    } catch (error) {
      // The disk: what was to be noted as sent is sent again, and recognised.
      if (!spoolIsStuck) log.error('the spool cannot be read or written', { error });
      spoolIsStuck = true;
      doubtful = spool.waiting;
      return false;
    }
  };

  const run = async () => {
    for (;;) {
      const isIdle = spool.waiting === 0 && unspooled.length === 0;
      if (!isIdle && (await advance())) {
        if (isSet(stopping) || !mayGather()) continue;
        isGathering = true;
        await sleep(gatherMs);
        isGathering = false;
        continue;
      }
      if (isSet(stopping)) return;
      // What cannot be opened may hold what an earlier process left, which does not wait for the next request.
      await sleep(isIdle && spoolIsOpen && notes.isReady ? undefined : retryMs);
      toDisk();
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
    // Again for what came after an earlier flush, and after one that is not over yet: two senders would drop each other's events.
    loop = (loop ?? Promise.resolve()).then(run);
    await loop;
    spoolMemory();
    checkpoint();
    if (unspooled.length > 0) throw new Error(`${unspooled.length} usage events are in memory only.`);
  };

  return {
    admit: (request, notify) => {
      notes.admit(request);
      if (notify !== undefined) onNoted.push(notify);
      commitSoon();
    },
    emit: (event, onDurable) => {
      fresh.push({ event, onDurable });
      commitSoon();
    },
    start: () => {
      stopping = false;
      isOpen = true;
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
        isOpen = spoolIsOpen = false;
        try {
          spool.close();
        } finally {
          notes.close();
        }
      }
    },
    get waiting() {
      return waiting();
    },
  };
}

/** Owns the emitter's life: nothing is left in memory at the end, or the end says so. */
export const eventEmitterActor = (emitter: EventEmitter, drain: DrainPlan): ActorDefinition<never> =>
  owned(
    'event-emitter',
    () => {
      emitter.start();
      const withdraw = drain.on('flush', 'usage events', () => emitter.flush());
      const close = () => {
        withdraw();
        return emitter.stop();
      };
      return { close };
    },
    { describe: () => ({ waiting: emitter.waiting }) },
  );

/** Asked through a call: the compiler cannot know that the flag changes while the sender waits. */
function isSet(flag: boolean): boolean {
  return flag;
}
