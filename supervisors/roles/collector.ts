/**
 * The collector as a tree: a line for each event stream, the recorder of what was given up, the janitor, the monitor. A line starts and
 * falls as a whole; one line's trouble is not another's. Which failure means what is the policy's to say (contract §5).
 */
import { createConsumerLine, type ConsumerLine } from '../../actors/intake/consumer-line.ts';
import { deadLetterRecorder } from '../../actors/intake/dead-letter-recorder.ts';
import type { JudgeEvent } from '../../actors/intake/event-verdict.ts';
import { streamJanitor } from '../../actors/intake/stream-janitor.ts';
import { streamMonitor } from '../../actors/intake/stream-monitor.ts';
import { streamReader } from '../../actors/intake/stream-reader.ts';
import { streamSettler } from '../../actors/intake/stream-settler.ts';
import { streamWorker } from '../../actors/intake/stream-worker.ts';
import type { EventStreams } from '../../actors/ports/event-stream.ts';
import type { JobsApi } from '../../actors/ports/jobs-api.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import { EVENT_STREAMS } from '../../config/streams.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import { decide, DLQ_POLICY, DLQ_SCHEDULE_MS, type FailurePolicy } from '../failure-policy.ts';

export interface CollectorParts {
  readonly streams: EventStreams;
  readonly api: JobsApi;
  readonly metrics: Metrics;
  /** Names this process among all collectors, and no other that ever ran: host, process id, a random part. */
  readonly consumer: string;
}

export interface CollectorSettings {
  /** What becomes of an event that could not be settled. */
  readonly policy?: FailurePolicy;
  /** Longest delay of that policy. */
  readonly longestDelayMs?: number;
  /** An entry that its consumer has not touched for this long may be claimed by another. */
  readonly leaseMs?: number;
}

export function collectorRole(parts: CollectorParts, settings: CollectorSettings = {}): SupervisorSpec {
  const { policy = DLQ_POLICY, longestDelayMs = Math.max(...DLQ_SCHEDULE_MS), leaseMs = LEASE_MS } = settings;
  const lines = CONSUMED.map((kind) => createConsumerLine(kind, parts.consumer, { longestDelayMs, leaseMs }));
  return {
    strategy: 'oneForOne',
    ...RESTARTS,
    children: [
      ...lines.map((line) => supervisor(line.kind, () => lineSpec(line, parts, judgeBy(policy)))),
      worker('dead-letters', () => deadLetterRecorder(parts), { shutdownMs: 12_000 }),
      worker('janitor', () => streamJanitor(lines, leaseMs / 6)),
      worker('monitor', () => streamMonitor(EVENT_STREAMS, parts)),
    ],
  };
}

/** Outlasts a post and its settling. A recovery after a crash takes this long, and up to a sixth more. */
const LEASE_MS = 30_000;

const CONSUMED = ['transcribe', 'process', 'dlq'] as const;

/**
 * While Redis is away, or the api refuses our key, a line fails again after every backoff, several of its actors at once. That is no
 * reason to give up: only a line that falls over and over without any delay is beyond help.
 */
const RESTARTS = { intensity: 120, periodMs: 60_000 };

/** A line holds what it has read in memory: when one of its actors falls, all begin anew with what the consumer owns. */
function lineSpec(line: ConsumerLine, parts: CollectorParts, judge: JudgeEvent): SupervisorSpec {
  const workers = Array.from({ length: line.workerCount }, (_, index) =>
    // A post under way may take its ten seconds, and its outcome is then settled.
    worker(`worker-${index + 1}`, () => streamWorker(line, index, { ...parts, judge }), { shutdownMs: 20_000 }),
  );
  return {
    strategy: 'oneForAll',
    ...RESTARTS,
    children: [
      worker('settler', () => streamSettler(line, parts), { shutdownMs: 8000 }),
      ...workers,
      worker('reader', () => streamReader(line, parts)),
    ],
  };
}

const judgeBy =
  (policy: FailurePolicy): JudgeEvent =>
  (failure) => {
    const verdict = decide(policy, failure);
    if (verdict.kind === 'retry') return verdict;
    return { kind: verdict.kind === 'deadLetter' ? 'abandon' : 'pause' };
  };
