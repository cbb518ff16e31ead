/** The inference role's listener as an actor: open while it runs, drained when it stops. */
import type { ActorDefinition } from '../../../actors/kernel/actor.ts';
import type { RecognitionPool } from '../../../actors/inference/recognition-pool.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import type { Log } from '../../../actors/ports/log.ts';
import type { Metrics } from '../../../actors/ports/metrics.ts';
import { LIMITS } from '../../../config/limits.ts';
import type { ListenAddress } from '../../../config/parse-setting.ts';
import { createByteBudget } from '../server/byte-budget.ts';
import { addTranscriptionRoutes } from './transcriptions.ts';
import { createHttpServer } from '../server/server.ts';

export interface InferenceListenerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly pool: RecognitionPool;
  readonly languages: readonly string[];
  readonly inferenceKey: string | undefined;
  readonly address: ListenAddress;
  /** Longest wait for requests under way. */
  readonly drainMs: number;
}

/** @throws VelloError `PORT_IN_USE` when started */
export function inferenceListener(parts: InferenceListenerParts): ActorDefinition<never> {
  const { clock, log, metrics, pool, address } = parts;
  return {
    type: 'listener',
    start: async () => {
      const server = createHttpServer({ listener: 'inference', address, clock, log, metrics });
      addTranscriptionRoutes(server, {
        pool,
        languages: parts.languages,
        key: parts.inferenceKey,
        startedMs: clock.now(),
        bodies: createByteBudget(LIMITS.recognition.bodyBytesAtOnce),
      });
      const port = await server.listen();
      return {
        receive: () => undefined,
        stop: () => server.close(parts.drainMs),
        describe: () => ({ host: address.host, port }),
      };
    },
  };
}
