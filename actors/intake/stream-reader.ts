/**
 * The beginning of a line. Pulls: asks Redis for no more entries than its idle workers can take, holds those of the dlq until their
 * time has come, and goes first through what its consumer owned before it was restarted. Reads again as long as it is pulled.
 */
import { VelloError } from '../../config/errors.ts';
import type { ActorDefinition, ActorContext } from '../kernel/actor.ts';
import type { EventStream, StreamEntry } from './event-stream.ts';
import type { Metrics } from '../ports/metrics.ts';
import { MAX_DELIVERIES, present, type ConsumerLine, type ReaderMessage } from './consumer-line.ts';
import { DueQueue } from './due-queue.ts';
import { notBeforeMs } from './event-verdict.ts';

/** How long one read waits for the first entry; a sweep waits as long. */
const BLOCK_MS = 500;
/** While a suspect runs: many may wait behind it, one after another. */
const BLOCK_BESIDE_SUSPECT_MS = 20;
/** Entries in one answer of Redis. */
const MOST_PER_READ = 500;
const CLAIM_TERMS = { maxDeliveries: MAX_DELIVERIES, aloneFrom: MAX_DELIVERIES, count: MOST_PER_READ };
/** Beyond this many bytes a batch is sent in parts: a post must not become slow because its events are long. */
const BATCH_BYTES = 2 * 1024 * 1024;

export function streamReader(line: ConsumerLine, parts: { readonly metrics: Metrics }): ActorDefinition<ReaderMessage> {
  return {
    type: 'stream-reader',
    start: async (ctx) => {
      const stream = present(line.stream, 'stream');
      const reader = new Reader(line, stream, ctx, parts.metrics);
      // A blocked read must not hold up the end of the line.
      ctx.signal.addEventListener('abort', () => stream.interrupt());
      await reader.begin();
      line.reader = ctx.self;
      return {
        receive: async (message) => {
          try {
            await reader.receive(message);
          } catch (error) {
            // Interrupted above.
            if (!ctx.signal.aborted) throw error;
          }
        },
        stop: () => {
          line.reader = undefined;
        },
        ready: () => line.isTrusted,
        describe: () => reader.describe(),
      };
    },
  };
}

class Reader {
  readonly #line: ConsumerLine;
  readonly #stream: EventStream;
  readonly #ctx: ActorContext<ReaderMessage>;
  readonly #metrics: Metrics;
  readonly #idle = new Set<number>();
  /** Read, and due. */
  readonly #ready: StreamEntry[] = [];
  /** Read, and not yet due. */
  readonly #waiting = new DueQueue();
  /** On its last delivery: it may be what killed its consumers, and is run alone. */
  #suspect: StreamEntry | undefined;
  #suspectWorker: number | undefined;
  #mustSweep = true;
  #isPulled = false;
  #inFlight = 0;
  readonly #batchOf = new Map<number, readonly StreamEntry[]>();
  #mustReconcile = false;

  constructor(line: ConsumerLine, stream: EventStream, ctx: ActorContext<ReaderMessage>, metrics: Metrics) {
    this.#line = line;
    this.#stream = stream;
    this.#ctx = ctx;
    this.#metrics = metrics;
    for (let worker = 0; worker < line.workerCount; worker += 1) this.#idle.add(worker);
  }

  async begin(): Promise<void> {
    await this.#take(await this.#stream.held(this.#line.consumer));
    this.#pull();
  }

  describe() {
    return {
      stream: this.#line.kind,
      inFlight: this.#inFlight,
      ready: this.#ready.length,
      waiting: this.#waiting.size,
    };
  }

  receive(message: ReaderMessage): Promise<void> | undefined {
    switch (message.type) {
      case 'pull':
        this.#isPulled = false;
        return this.#advance();
      case 'sweep':
        this.#mustSweep = true;
        this.#mustReconcile = true;
        this.#pull();
        return undefined;
      case 'idle':
        this.#workerIsIdle(message.worker);
        this.#pull();
        return undefined;
    }
  }

  #pull(): void {
    if (this.#isPulled) return;
    this.#isPulled = true;
    this.#ctx.self.tell({ type: 'pull' });
  }

  #workerIsIdle(worker: number): void {
    this.#inFlight -= this.#batchOf.get(worker)?.length ?? 0;
    this.#batchOf.delete(worker);
    this.#idle.add(worker);
    if (this.#suspectWorker !== worker) return;
    // There may be another one behind it.
    this.#suspectWorker = undefined;
    this.#mustSweep = true;
  }

  /** One step: hand out what is due, look for left entries, read more. Pulls itself while there is room for more. */
  async #advance(): Promise<void> {
    if (this.#waiting.size > 0) this.#ready.push(...this.#waiting.takeDue(await this.#stream.now()));
    if (this.#mustReconcile) await this.#reconcile();
    if (this.#mustSweep) await this.#sweep();
    this.#dispatch();
    const room = this.#room();
    if (room > 0) {
      const entries = await this.#stream.read(
        this.#line.consumer,
        Math.min(room, MOST_PER_READ),
        await this.#blockMs(),
      );
      // Nothing is left to prove a new trust with, so that silence has to do.
      if (entries.length === 0 && this.#inFlight === 0) this.#line.isTrusted = true;
      await this.#take(entries);
      this.#dispatch();
      this.#pull();
    } else if (this.#waiting.nextDueMs !== undefined) {
      this.#ctx.timers.once('due', await this.#blockMs(), { type: 'pull' });
    }
    this.#metrics.gauge('vello_events_in_flight', { stream: this.#line.kind }, this.#inFlight);
  }

  /** How many more entries the workers, or the memory for waiting ones, have room for. */
  #room(): number {
    if (this.#ready.length > 0) return 0;
    const { batchSize, waitingLimit } = this.#line;
    const free = this.#usableWorkers().length * batchSize;
    return waitingLimit === 0 ? free : waitingLimit - this.#waiting.size;
  }

  /** Until something falls due or can be swept next, so that a blocked read never makes an entry late. */
  async #blockMs(): Promise<number> {
    const longestMs = this.#suspectWorker === undefined ? BLOCK_MS : BLOCK_BESIDE_SUSPECT_MS;
    const dueMs = this.#waiting.nextDueMs;
    if (dueMs === undefined) return longestMs;
    return Math.max(1, Math.min(longestMs, dueMs - (await this.#stream.now())));
  }

  async #take(entries: readonly StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const nowMs = this.#line.waitingLimit === 0 ? Infinity : await this.#stream.now();
    for (const entry of entries) {
      const dueMs = notBeforeMs(entry.fields);
      if (dueMs > nowMs) this.#waiting.add(entry, dueMs);
      else this.#ready.push(entry);
    }
  }

  /**
   * Takes over what dead consumers left. What was handed out for the last time it may be is run alone, and taken only when it can be
   * run: its delivery must not be counted while it queues behind another that kills the process.
   */
  async #sweep(): Promise<void> {
    const { consumer, leaseMs, kind } = this.#line;
    this.#mustSweep = false;
    while (this.#suspect === undefined && this.#suspectWorker === undefined && this.#ready.length < MOST_PER_READ) {
      const { entries, buried } = await this.#stream.claim(consumer, { ...CLAIM_TERMS, minIdleMs: leaseMs });
      this.#noteBuried(buried);
      if (entries.length === 0) return;
      this.#metrics.count('vello_stream_claimed_total', { stream: kind }, entries.length);
      const [first] = entries;
      if (first !== undefined && first.deliveries >= MAX_DELIVERIES) this.#suspect = first;
      else await this.#take(entries);
    }
  }

  /**
   * What the consumer owns and nobody here knows came in an answer that was lost. The line begins anew with all that it holds: no
   * cause of such a loss needs to be known for its end.
   * @throws VelloError `REDIS_UNAVAILABLE` where there is such an entry
   */
  async #reconcile(): Promise<void> {
    this.#mustReconcile = false;
    const owned = await this.#stream.owned(this.#line.consumer);
    const known = new Set([...this.#ready, ...this.#waiting.entries()].map(({ id }) => id));
    for (const entries of this.#batchOf.values()) for (const { id } of entries) known.add(id);
    if (this.#suspect !== undefined) known.add(this.#suspect.id);
    const unknown = owned.filter((id) => !known.has(id));
    if (unknown.length === 0) return;
    throw new VelloError(
      'REDIS_UNAVAILABLE',
      `Entries were read and never heard of: ${unknown.slice(0, 5).join(', ')}.`,
    );
  }

  #noteBuried(buried: readonly string[]): void {
    if (buried.length === 0) return;
    const stream = this.#line.kind;
    this.#ctx.log.error('entries killed every consumer that ran them', { stream, buried });
    this.#metrics.count('vello_events_total', { stream, outcome: 'buried' }, buried.length);
  }

  /** An untrusted line tries with one worker, so that a refused key is not presented many times over. */
  #usableWorkers(): number[] {
    if (this.#line.isTrusted) return [...this.#idle];
    return this.#inFlight === 0 ? [0] : [];
  }

  #dispatch(): void {
    for (const worker of this.#usableWorkers()) {
      if (this.#suspect !== undefined) {
        this.#suspectWorker = worker;
        this.#give(worker, [this.#suspect]);
        this.#suspect = undefined;
      } else if (this.#ready.length > 0) {
        this.#give(worker, this.#ready.splice(0, this.#batchLength()));
      } else {
        return;
      }
    }
  }

  #batchLength(): number {
    let bytes = 0;
    for (let length = 0; length < this.#line.batchSize; length += 1) {
      const entry = this.#ready[length];
      if (entry === undefined) return length;
      for (const value of Object.values(entry.fields)) bytes += value.length;
      if (bytes > BATCH_BYTES) return Math.max(1, length);
    }
    return this.#line.batchSize;
  }

  #give(worker: number, entries: readonly StreamEntry[]): void {
    this.#idle.delete(worker);
    this.#batchOf.set(worker, entries);
    this.#inFlight += entries.length;
    const told = present(this.#line.workers[worker], 'worker').tell({ type: 'batch', entries });
    if (told !== 'delivered') throw new VelloError('UNAVAILABLE', `A worker did not take its batch: ${told}.`);
  }
}
