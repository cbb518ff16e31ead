/** The inference role: engines and, last, the listener that offers them in OpenAI's shape. */
import { earActor } from '../../actors/inference/ear-actor.ts';
import { createRecognitionPool } from '../../actors/inference/recognition-pool.ts';
import { recogniserActor } from '../../actors/inference/recogniser-actor.ts';
import type { SpeechEngine } from '../../actors/inference/speech-engine.ts';
import { newId } from '../../actors/identity/new-id.ts';
import { owned } from '../../actors/kernel/owned.ts';
import { LIMITS } from '../../config/limits.ts';
import type { Settings } from '../../config/settings.ts';
import { addRealtimeRoute } from '../../transports/http/inference/realtime-route.ts';
import { addTranscriptionRoutes } from '../../transports/http/inference/transcriptions.ts';
import { createByteBudget } from '../../transports/http/server/byte-budget.ts';
import { listener } from '../../transports/http/server/listener.ts';
import type { HttpServer } from '../../transports/http/server/server.ts';
import { supervisor, worker, type SupervisorSpec } from '../child-spec.ts';
import type { CommonParts } from '../foundation.ts';

export interface InferenceParts extends Omit<CommonParts, 'drain'> {
  readonly engine: SpeechEngine;
  /** Asked of every caller. Absent: nothing is asked. */
  readonly inferenceKey: string | undefined;
}

type InferenceSettings = Pick<Settings, 'inferenceListen' | 'inferenceWorkers' | 'drainMs'>;

export function inferenceRole(parts: InferenceParts, settings: InferenceSettings): SupervisorSpec {
  const { engine, inferenceKey: key, clock, log, metrics } = parts;
  const { inferenceListen: address, drainMs } = settings;
  const pool = createRecognitionPool({ clock, metrics, engine: engine.name });
  const queue = owned(
    'recognition-queue',
    () => {
      pool.open();
      return pool;
    },
    { describe: () => pool.counts() },
  );
  const recognisers = Array.from({ length: settings.inferenceWorkers }, (_, index) =>
    worker(`recogniser-${index + 1}`, () => recogniserActor(engine, pool)),
  );
  const ear = earActor(engine);
  const serve = (server: HttpServer) => {
    const bodies = createByteBudget(LIMITS.recognition.bodyBytesAtOnce);
    const { languages } = engine;
    addTranscriptionRoutes(server, { pool, languages, key, startedMs: clock.now(), bodies });
    const hangUp = addRealtimeRoute(server, { ears: ear.holder, pool, languages, key, clock, newId, log });
    return { finish: async () => hangUp() };
  };
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
        children: [worker('queue', queue), worker('ear', ear.definition), ...recognisers],
      }),
      worker('listener', listener({ listener: 'inference', address, drainMs, clock, log, metrics, serve }), {
        shutdownMs: drainMs + 1000,
      }),
    ],
  };
}
