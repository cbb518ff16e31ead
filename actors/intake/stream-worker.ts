/**
 * Posts batches of entries to the api and hands what became of them to the settler. Takes the next batch only when this one's outcome
 * is durable. A failure that is our own fault touches no entry: the worker crashes, and the line starts again after a backoff.
 */
import type { Clock } from '../ports/clock.ts';
import type { ActorContext, ActorDefinition } from '../kernel/actor.ts';
import type { EntryMove, StreamEntry } from './event-stream.ts';
import type { AddedJob, JobsApi } from './jobs-api.ts';
import type { Metrics } from '../ports/metrics.ts';
import { VelloError } from '../../config/errors.ts';
import { entryTimeMs } from '../../config/streams.ts';
import { present, type ConsumerLine, type WorkerMessage } from './consumer-line.ts';
import { eventFields, failedRuns, failureOfStatus, mayBeOneOfMany, type JudgeEvent } from './event-verdict.ts';

export interface StreamWorkerParts {
  readonly api: JobsApi;
  readonly judge: JudgeEvent;
  readonly metrics: Metrics;
}

/** Longer than the settler's own Redis deadline, so that its failure arrives as itself. */
const SETTLE_WITHIN_MS = 12_000;

export function streamWorker(
  line: ConsumerLine,
  index: number,
  parts: StreamWorkerParts,
): ActorDefinition<WorkerMessage> {
  return {
    type: 'stream-worker',
    handlerDeadlineMs: 30_000,
    start: (ctx) => {
      line.workers[index] = ctx.self;
      let handled = 0;
      return {
        receive: async ({ entries }) => {
          const outcome = await run(line, parts, ctx, entries);
          await present(line.settler, 'settler').ask<undefined>(
            (reply) => ({ type: 'outcome', ...outcome, reply }),
            SETTLE_WITHIN_MS,
          );
          line.isTrusted = true;
          handled += entries.length;
          measure(line, parts.metrics, ctx.clock, entries, outcome);
          if (!ctx.signal.aborted) line.reader?.tell({ type: 'idle', worker: index });
        },
        stop: () => {
          line.workers[index] = undefined;
        },
        describe: () => ({ stream: line.kind, handled }),
      };
    },
  };
}

interface Outcome {
  readonly done: string[];
  readonly deferred: EntryMove[];
  readonly abandoned: EntryMove[];
  readonly duplicates: number;
}

/** @throws the failure that is our own fault; nothing was decided about any entry then. */
async function run(
  line: ConsumerLine,
  { api, judge, metrics }: StreamWorkerParts,
  { clock, log }: Pick<ActorContext<WorkerMessage>, 'clock' | 'log'>,
  entries: readonly StreamEntry[],
): Promise<Outcome> {
  /** Entries on which something failed that nobody foresaw. */
  const unforeseen: { readonly entry: StreamEntry; readonly error: unknown }[] = [];
  const outcome = { done: [] as string[], deferred: [] as EntryMove[], abandoned: [] as EntryMove[], duplicates: 0 };

  const fail = ({ id, fields }: StreamEntry, error: VelloError, code: string) => {
    const attempt = failedRuns(fields) + 1;
    const verdict = judge({ error, attempt });
    if (verdict.kind === 'pause') {
      line.isTrusted = false;
      throw error;
    }
    if (verdict.kind === 'retry') outcome.deferred.push({ id, attempt, error: code, delayMs: verdict.delayMs });
    else outcome.abandoned.push({ id, attempt, error: code });
  };

  const post = async (batch: readonly StreamEntry[]): Promise<void> => {
    let results: readonly AddedJob[];
    const startedMs = clock.monotonicMs();
    try {
      results = await api.addJobs(batch.map(({ fields }) => eventFields(fields)));
    } catch (error) {
      const isForeseen = error instanceof VelloError;
      if (batch.length > 1 && (!isForeseen || mayBeOneOfMany(error))) {
        const half = batch.length >> 1;
        await post(batch.slice(0, half));
        await post(batch.slice(half));
        return;
      }
      for (const entry of batch) {
        if (isForeseen) fail(entry, error, error.code);
        else unforeseen.push({ entry, error });
      }
      return;
    } finally {
      metrics.observe('vello_event_post_seconds', { stream: line.kind }, (clock.monotonicMs() - startedMs) / 1000);
    }
    for (const [position, entry] of batch.entries()) {
      const result = results[position];
      if (result?.kind === 'refused') fail(entry, failureOfStatus(result.status, result.code), result.code);
      else {
        outcome.done.push(entry.id);
        if (result?.duplicate === true) outcome.duplicates += 1;
      }
    }
  };

  await post(entries);
  const [first] = unforeseen;
  if (first !== undefined && entries.length > 1 && unforeseen.length === entries.length) {
    // It fails whatever the entry: a defect of ours, and no event is given up for it.
    line.isTrusted = false;
    throw first.error;
  }
  for (const { entry, error } of unforeseen) {
    log.error('an event failed in a way that nobody foresaw', { stream: line.kind, entry: entry.id, error });
    fail(entry, new VelloError('INTERNAL', undefined, { cause: error }), 'INTERNAL');
  }
  return outcome;
}

function measure(
  { kind: stream }: ConsumerLine,
  metrics: Metrics,
  clock: Clock,
  entries: readonly StreamEntry[],
  { done, deferred, abandoned, duplicates }: Outcome,
): void {
  metrics.count('vello_events_total', { stream, outcome: 'settled' }, done.length - duplicates);
  metrics.count('vello_events_total', { stream, outcome: 'duplicate' }, duplicates);
  metrics.count('vello_events_total', { stream, outcome: 'deferred' }, deferred.length);
  metrics.count('vello_events_total', { stream, outcome: 'abandoned' }, abandoned.length);
  for (const { attempt } of abandoned) metrics.observe('vello_event_attempts', { stream }, attempt);
  const settled = new Set(done);
  for (const { id, fields } of entries) {
    if (!settled.has(id)) continue;
    metrics.observe('vello_event_attempts', { stream }, failedRuns(fields) + 1);
    metrics.observe('vello_event_settle_seconds', { stream }, Math.max(0, clock.now() - entryTimeMs(id)) / 1000);
  }
}
