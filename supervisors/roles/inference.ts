/** The inference role: engines and, last, the listener that offers them in OpenAI's shape. */
import { createRecognitionPool } from '../../actors/inference/recognition-pool.ts';
import { recognitionQueueActor } from '../../actors/inference/recognition-queue-actor.ts';
import { recogniserActor } from '../../actors/inference/recogniser-actor.ts';
import type { Clock } from '../../actors/ports/clock.ts';
import type { Log } from '../../actors/ports/log.ts';
import type { Metrics } from '../../actors/ports/metrics.ts';
import type { SpeechEngine } from '../../actors/inference/speech-engine.ts';
import type { Settings } from '../../config/settings.ts';
import { inferenceListener } from '../../transports/http/inference/inference-listener.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';

export interface InferenceParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly engine: SpeechEngine;
  /** Asked of every caller. Absent: nothing is asked. */
  readonly inferenceKey: string | undefined;
}

type InferenceSettings = Pick<Settings, 'inferenceListen' | 'inferenceWorkers' | 'drainMs'>;

export function inferenceRole(parts: InferenceParts, settings: InferenceSettings): SupervisorSpec {
  const { engine, clock, metrics } = parts;
  const pool = createRecognitionPool({ clock, metrics, engine: engine.name });
  const recognisers = Array.from({ length: settings.inferenceWorkers }, (_, index) =>
    worker(`recogniser-${index + 1}`, () => recogniserActor(engine, pool)),
  );
  const listener = inferenceListener({
    ...parts,
    pool,
    languages: engine.languages,
    address: settings.inferenceListen,
    drainMs: settings.drainMs,
  });
  return {
    strategy: 'oneForOne',
    intensity: 5,
    periodMs: 60_000,
    children: [
      // A recording that ends a recogniser ends it again when the client retries; giving up would take the others' work away.
      supervisor('engine', {
        strategy: 'oneForOne',
        intensity: 20,
        periodMs: 60_000,
        children: [worker('queue', () => recognitionQueueActor(pool)), ...recognisers],
      }),
      worker('listener', () => listener, { shutdownMs: settings.drainMs + 1000 }),
    ],
  };
}
