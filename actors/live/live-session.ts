/** The life of one live transcription: it calls the provider when it starts, keeps time while it runs, and leaves no call open and no event unreported when it ends. */
import { LIMITS } from '../../config/limits.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import { isAbnormal } from '../kernel/exit-reason.ts';
import type { LiveCall } from './live-call.ts';
import type { LiveMessage } from './live-message.ts';

/** `onGone`: a desktop that comes back finds it no more. */
export function liveSession(call: LiveCall, onGone: () => void): ActorDefinition<LiveMessage> {
  const end = (how: () => void) => {
    onGone();
    how();
  };
  return {
    type: 'live-session',
    start: (ctx) => {
      try {
        call.begin((message) => void ctx.self.tell(message));
      } catch (error) {
        end(() => call.crash());
        throw error;
      }
      ctx.timers.every('tick', LIMITS.live.tickMs, { type: 'tick' });
      return {
        receive: (message) => {
          switch (message.type) {
            case 'tick':
              return call.tick();
            case 'revoked':
              return call.revoke();
            case 'wind_up':
              return call.windUp();
            case 'shut_down':
              return call.shutDown();
            case 'fault':
              throw message.error instanceof Error ? message.error : new Error(String(message.error));
            case 'over':
              return ctx.stop();
          }
        },
        stop: (reason) => end(() => (isAbnormal(reason) ? call.crash() : call.shutDown())),
        describe: () => call.facts(),
      };
    },
  };
}
