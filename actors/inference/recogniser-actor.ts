/** One recogniser's life: opened when the actor starts, in the pool while it lives, closed when the actor stops. It restarts nothing: it crashes, and its supervisor decides. */
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Recogniser, SpeechEngine } from './speech-engine.ts';
import type { RecognitionPool } from './recognition-pool.ts';

export type RecogniserMessage =
  { readonly type: 'opened'; readonly recogniser: Recogniser } | { readonly type: 'broken'; readonly cause: Error };

/** Loading takes seconds, so starting does not wait for it: the siblings load meanwhile, and `ready` tells when it is done. */
export function recogniserActor(engine: SpeechEngine, pool: RecognitionPool): ActorDefinition<RecogniserMessage> {
  return {
    type: 'recogniser',
    start: (ctx) => {
      let recogniser: Recogniser | undefined;
      let leavePool: () => void = () => undefined;
      const startedMs = ctx.clock.monotonicMs();
      const onDeath = (cause: Error) => void ctx.self.tell({ type: 'broken', cause });
      const opening = engine.open({ signal: ctx.signal, onDeath }).then(
        (opened) => {
          // The actor may have been stopped meanwhile; then nobody else would close it.
          if (ctx.self.tell({ type: 'opened', recogniser: opened }) !== 'delivered') return opened.close();
          return undefined;
        },
        (error: unknown) => {
          const cause = error instanceof Error ? error : new Error(String(error));
          if (!ctx.signal.aborted) ctx.self.tell({ type: 'broken', cause });
        },
      );
      return {
        receive: (message) => {
          if (message.type === 'broken') throw message.cause;
          recogniser = message.recogniser;
          leavePool = pool.add(recogniser);
          ctx.log.info('recogniser ready', { engine: engine.name, loadedMs: ctx.clock.monotonicMs() - startedMs });
        },
        stop: async () => {
          leavePool();
          await opening;
          await recogniser?.close();
        },
        ready: () => recogniser !== undefined,
        describe: () => ({ engine: engine.name, loaded: recogniser !== undefined }),
      };
    },
  };
}
