/** All live transcriptions of a gateway: begins them within bounds, finds the one that a desktop comes back to, and ends them at a stop. */
import { LIMITS } from '../../config/limits.ts';
import { VelloError } from '../../config/errors.ts';
import type { Admission, Caller } from '../admission/admission.ts';
import type { ActorDefinition } from '../kernel/actor.ts';
import type { Ref } from '../kernel/ref.ts';
import type { LiveStart } from './describe-live.ts';
import { LiveCall, type LiveCallParts } from './live-call.ts';
import type { LiveMessage } from './live-message.ts';
import { liveSession } from './live-session.ts';

/** The part of a supervisor's dynamic children that is needed here. */
interface LiveChildren {
  start(id: string, definition: () => ActorDefinition<LiveMessage>): Ref<LiveMessage>;
}

export interface LiveCalls {
  /**
   * Begins a transcription; the provider is called at once.
   * @throws VelloError `UNAVAILABLE` where there are too many, `RATE_LIMITED` where the caller has too many
   */
  open(start: LiveStart, openLine: LiveCallParts['openLine']): LiveCall;
  /**
   * The caller's own, to go on with; from now on it ends with what lets him in now.
   * @throws VelloError `LIVE_UNKNOWN` where there is none, `RATE_LIMITED` where he may not have it any more
   */
  resume(liveId: string, caller: Caller): LiveCall;
  /** Those whose events are not out. */
  readonly activeCount: number;
  /**
   * Brings all to an end, and resolves when they have ended; those that have not after `withinMs` are cut short, and reported as
   * `shutdown`, which takes a moment more.
   */
  drain(withinMs: number): Promise<void>;
}

export interface LiveCallsParts extends Omit<LiveCallParts, 'openLine'> {
  readonly children: LiveChildren;
  readonly admission: Pick<Admission, 'hold'>;
}

interface Entry {
  readonly call: LiveCall;
  readonly session: Ref<LiveMessage>;
}

export function createLiveCalls({ children, admission, ...parts }: LiveCallsParts): LiveCalls {
  const { clock, metrics } = parts;
  const entries = new Map<string, Entry>();
  const active = new Set<LiveCall>();
  const onIdle: (() => void)[] = [];

  metrics.onScrape(() => metrics.gauge('vello_gateway_live_sessions', {}, active.size));

  const tell = ({ call, session }: Entry, message: LiveMessage) => {
    // Its supervisor was stopped before it could start.
    if (session.tell(message) === 'dead') call.shutDown();
  };

  const hold = (call: LiveCall, caller: Caller, takesOver: boolean) => {
    const onRevoked = () => {
      const entry = entries.get(call.start.liveId);
      if (entry !== undefined) tell(entry, { type: 'revoked' });
    };
    call.hold(() => admission.hold(caller, onRevoked, takesOver));
  };

  return {
    open: (start, openLine) => {
      if (entries.size >= LIMITS.live.sessions) {
        throw new VelloError('UNAVAILABLE', 'As many live transcriptions are under way as may.', {
          retryAfterMs: 2000,
        });
      }
      const { liveId } = start;
      const call = new LiveCall(start, { ...parts, openLine });
      hold(call, start.caller, false);
      try {
        const session = children.start(`live-${liveId}`, () => liveSession(call, () => entries.delete(liveId)));
        entries.set(liveId, { call, session });
      } catch (error) {
        call.letGo();
        throw new VelloError('UNAVAILABLE', undefined, { cause: error, retryAfterMs: 1000 });
      }
      active.add(call);
      call.onReported(() => {
        active.delete(call);
        if (active.size > 0) return;
        for (const resume of onIdle.splice(0)) resume();
      });
      call.admit();
      return call;
    },
    resume: (liveId, caller) => {
      const call = entries.get(liveId)?.call;
      const isHis =
        call !== undefined &&
        call.start.caller.userId === caller.userId &&
        call.start.caller.deviceId === caller.deviceId;
      if (!isHis || !call.isWorthMeeting) throw new VelloError('LIVE_UNKNOWN');
      hold(call, caller, true);
      return call;
    },
    get activeCount() {
      return active.size;
    },
    drain: async (withinMs) => {
      const tellAll = (type: 'wind_up' | 'shut_down') => {
        for (const entry of [...entries.values()]) tell(entry, { type });
      };
      tellAll('wind_up');
      if (active.size > 0) {
        await new Promise<void>((resolve) => {
          let deadline = clock.setTimer(withinMs, () => {
            tellAll('shut_down');
            // Their last words wait for their events, and are not waited for without end.
            deadline = clock.setTimer(LIMITS.events.sendMs + LIMITS.live.tickMs, () => resolve());
          });
          onIdle.push(() => {
            deadline.cancel();
            resolve();
          });
        });
      }
      // Desktops that have everything and have not closed their sockets.
      tellAll('shut_down');
    },
  };
}
