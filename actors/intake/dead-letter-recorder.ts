/**
 * Copies abandoned events from the dead stream into the lasting record of the api. The entries stay in the stream, acknowledged once they
 * are recorded and not before, until an operator retries or discards them; recording one twice is recording it once.
 */
import type { ActorContext, ActorDefinition } from '../kernel/actor.ts';
import type { AbandonedAttempt, AbandonedEvent, JobsApi } from './jobs-api.ts';
import type { EventStream, EventStreams, StreamEntry } from './event-stream.ts';
import { eventFields, failedRuns, mayBeOneOfMany } from './event-verdict.ts';

export interface DeadLetterRecorderParts {
  readonly streams: EventStreams;
  readonly api: JobsApi;
  readonly consumer: string;
}

interface RecorderMessage {
  readonly type: 'pull';
}

const BATCH = 100;
const BLOCK_MS = 2000;
/** Recording twice is recording once, so that nobody renews it. */
const LEASE_MS = 15_000;
/** Recording kills nobody: however often it was tried, it is tried again. */
const EVER = Number.MAX_SAFE_INTEGER;
const CLAIM_TERMS = { minIdleMs: LEASE_MS, maxDeliveries: EVER, aloneFrom: EVER, count: BATCH };
/** What it owns and does not know of came in an answer that was lost: it is found this soon, whatever the cause. */
const LOOK_BACK_MS = 2000;
/** While the api is away, it is asked again after this long: nothing here is urgent, and nothing is lost. */
const RETRY_MS = 5000;

export function deadLetterRecorder(parts: DeadLetterRecorderParts): ActorDefinition<RecorderMessage> {
  return {
    type: 'dead-letter-recorder',
    start: async (ctx) => {
      const stream = await parts.streams.open('dead');
      ctx.signal.addEventListener('abort', () => stream.interrupt());
      const recorder = new Recorder(parts, stream, ctx);
      ctx.self.tell({ type: 'pull' });
      return {
        receive: async () => {
          try {
            await recorder.pull();
          } catch (error) {
            // Interrupted above.
            if (!ctx.signal.aborted) throw error;
          }
        },
        stop: async () => {
          try {
            await stream.release(parts.consumer);
          } catch (error) {
            // They are claimed once their lease has run out.
            ctx.log.warn('could not release abandoned events', { error });
          }
          stream.close();
        },
        describe: () => ({ recorded: recorder.recorded }),
      };
    },
  };
}

class Recorder {
  recorded = 0;
  readonly #parts: DeadLetterRecorderParts;
  readonly #stream: EventStream;
  readonly #ctx: ActorContext<RecorderMessage>;
  #lookedBackMs = -Infinity;
  /** What the api refused: owned and never acknowledged, so that nobody takes it for recorded. The next incarnation asks again. */
  readonly #refused = new Set<string>();

  constructor(parts: DeadLetterRecorderParts, stream: EventStream, ctx: ActorContext<RecorderMessage>) {
    this.#parts = parts;
    this.#stream = stream;
    this.#ctx = ctx;
  }

  async pull(): Promise<void> {
    const entries = await this.#next();
    if (entries.length > 0) {
      let recorded: readonly StreamEntry[];
      try {
        recorded = await this.#record(entries);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.#lookedBackMs = -Infinity;
        this.#ctx.log.warn('cannot record abandoned events yet', { entries: entries.length, error });
        this.#ctx.timers.once('pull', RETRY_MS, { type: 'pull' });
        return;
      }
      await this.#stream.acknowledge(
        this.#parts.consumer,
        recorded.map(({ id }) => id),
      );
      this.recorded += recorded.length;
    }
    this.#ctx.self.tell({ type: 'pull' });
  }

  /** What it owns without having recorded it, then what others left behind, then what is new. */
  async #next(): Promise<readonly StreamEntry[]> {
    const { consumer } = this.#parts;
    const nowMs = this.#ctx.clock.monotonicMs();
    if (nowMs - this.#lookedBackMs >= LOOK_BACK_MS) {
      const owned = await this.#stream.owned(consumer);
      if (owned.some((id) => !this.#refused.has(id))) {
        const held = await this.#stream.held(consumer);
        return held.filter(({ id }) => !this.#refused.has(id)).slice(0, BATCH);
      }
      this.#lookedBackMs = nowMs;
    }
    const { entries } = await this.#stream.claim(consumer, CLAIM_TERMS);
    return entries.length > 0 ? entries : this.#stream.read(consumer, BATCH, BLOCK_MS);
  }

  /** Returns those that are in the record now. */
  async #record(entries: readonly StreamEntry[]): Promise<readonly StreamEntry[]> {
    try {
      await this.#parts.api.recordDeadLetters(entries.map((entry) => toAbandoned(entry)));
      return entries;
    } catch (error) {
      if (!mayBeOneOfMany(error)) throw error;
      const half = entries.length >> 1;
      if (half > 0) {
        return [...(await this.#record(entries.slice(0, half))), ...(await this.#record(entries.slice(half)))];
      }
      for (const { id } of entries) {
        if (!this.#refused.has(id))
          this.#ctx.log.error('the api refuses to record an abandoned event', { entry: id, error });
        this.#refused.add(id);
      }
      return [];
    }
  }
}

function toAbandoned({ id, fields }: StreamEntry): AbandonedEvent {
  return {
    stream: fields['origin_stream'] ?? 'unknown',
    entryId: fields['origin_id'] ?? id,
    fields: eventFields(fields),
    attempts: attemptsOf(fields),
    errorCode: fields['error'] ?? 'UNKNOWN',
  };
}

function attemptsOf(fields: Readonly<Record<string, string>>): readonly AbandonedAttempt[] {
  try {
    const noted = JSON.parse(fields['failures'] ?? '[]') as unknown;
    if (Array.isArray(noted) && noted.every(isAttempt)) return noted;
  } catch {
    // Whatever it was, it is not what a collector noted.
  }
  return [{ attempt: failedRuns(fields), at: 0, error: fields['error'] ?? 'UNKNOWN' }];
}

const isAttempt = (value: unknown): value is AbandonedAttempt =>
  typeof value === 'object' &&
  value !== null &&
  'attempt' in value &&
  Number.isFinite(value.attempt) &&
  'at' in value &&
  Number.isFinite(value.at) &&
  'error' in value &&
  typeof value.error === 'string';

const isRetryable = (error: unknown): boolean =>
  error instanceof Error && 'retryable' in error && error.retryable === true;
