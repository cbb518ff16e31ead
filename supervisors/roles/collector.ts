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
import { EVENT_STREAMS } from '../../config/streams.ts';
import { DEFAULT_BACKOFF } from '../backoff.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import type { CollectorParts } from '../collector-parts.ts';
import { decide, DLQ_POLICY, type FailurePolicy } from '../failure-policy.ts';

export interface CollectorSettings {
  /** What becomes of an event that could not be settled. */
  readonly policy?: FailurePolicy;
  /** An entry whose consumer has not renewed it for this long may be claimed by another. */
  readonly leaseMs?: number;
}

export function collectorRole(parts: CollectorParts, settings: CollectorSettings = {}): SupervisorSpec {
  const { policy = DLQ_POLICY, leaseMs = LEASE_MS } = settings;
  const lines = CONSUMED.map((kind) => createConsumerLine(kind, parts.consumer, { leaseMs }));
  return {
    strategy: 'oneForOne',
    ...RESTARTS,
    children: [
      ...lines.map((line) => supervisor(line.kind, () => lineSpec(line, parts, (failure) => decide(policy, failure)))),
      worker('dead-letters', () => deadLetterRecorder(parts), { shutdownMs: 12_000 }),
      worker('janitor', () => streamJanitor(lines, SWEEP_EVERY_MS)),
      worker('monitor', () => streamMonitor(EVENT_STREAMS, parts)),
    ],
  };
}

/** A living consumer renews its entries five times as often. A recovery after a crash takes this long, and up to a second more. */
const LEASE_MS = 10_000;
/** With the longest block of a reader: within a second. */
const SWEEP_EVERY_MS = 400;

const CONSUMED = ['transcribe', 'process', 'dlq'] as const;

/**
 * While Redis is away, or the api refuses our key, a line fails again after every backoff, several of its actors at once. That is no
 * reason to give up: only a line that falls over and over without any delay is beyond help.
 */
const RESTARTS = { intensity: 120, periodMs: 60_000 };

/** A paused line resumes within five seconds of the repair of what paused it: a second or two more pass until the repair is seen. */
const LINE_BACKOFF = { ...DEFAULT_BACKOFF, maxMs: 3000 };

/** A line holds what it has read in memory: when one of its actors falls, all begin anew with what the consumer owns. */
function lineSpec(line: ConsumerLine, parts: CollectorParts, judge: JudgeEvent): SupervisorSpec {
  const workers = Array.from({ length: line.workerCount }, (_, index) =>
    // A post under way may take its ten seconds, and its outcome is then settled.
    worker(`worker-${index + 1}`, () => streamWorker(line, index, { ...parts, judge }), { shutdownMs: 20_000 }),
  );
  return {
    strategy: 'oneForAll',
    ...RESTARTS,
    backoff: LINE_BACKOFF,
    children: [
      worker('settler', () => streamSettler(line, parts), { shutdownMs: 8000 }),
      ...workers,
      worker('reader', () => streamReader(line, parts)),
    ],
  };
}
