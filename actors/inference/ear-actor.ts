/** The life of the ear: lent out while the actor lives, closed when it stops. It restarts nothing: it crashes, and its supervisor decides. */
import { VelloError } from '../../config/errors.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Ear } from './ear.ts';
import type { SpeechEngine } from './speech-engine.ts';

export interface EarMessage {
  readonly type: 'broken';
  readonly cause: Error;
}

/** Where the present ear is found. */
export interface EarHolder {
  /** @throws VelloError `ENGINE_FAILED` while there is none */
  use(): Ear;
}

export function earActor(engine: SpeechEngine): {
  readonly definition: () => ActorDefinition<EarMessage>;
  readonly holder: EarHolder;
} {
  let present: Ear | undefined;
  const definition = (): ActorDefinition<EarMessage> => ({
    type: 'ear',
    start: (ctx) => {
      const ear = engine.openEar((cause) => void ctx.self.tell({ type: 'broken', cause }));
      present = ear;
      return {
        receive: ({ cause }) => {
          throw cause;
        },
        stop: async () => {
          if (present === ear) present = undefined;
          await ear.close();
        },
      };
    },
  });
  const holder = {
    use: () => {
      if (present === undefined) throw new VelloError('ENGINE_FAILED');
      return present;
    },
  };
  return { definition, holder };
}
