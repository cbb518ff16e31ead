/** Turns what was observed of one live transcription into its usage event. Pure. */
import type { Caller } from '../admission/admission.ts';
import { MOST_AUDIO_SECONDS, type UsageEvent } from '../events/usage-event.ts';
import type { LiveFormat } from './live-protocol.ts';

/** What is known before it begins. */
export interface LiveStart extends Pick<
  UsageEvent,
  'eventId' | 'requestId' | 'sessionId' | 'provider' | 'keyId' | 'model'
> {
  readonly liveId: string;
  readonly caller: Caller;
  readonly format: LiveFormat;
  /** The empty string where there is none. */
  readonly traceparent: string;
}

export interface LiveFacts extends Pick<
  UsageEvent,
  'outcome' | 'startedAtMs' | 'durationMs' | 'bytesIn' | 'bytesOut' | 'audioSeconds' | 'attempts'
> {
  /** To the first text. */
  readonly firstTextMs: number | undefined;
  readonly usage: UsageEvent['usage'];
  /** All that is final. */
  readonly text: string;
}

/** What an upgrade is answered with. */
const SWITCHING_PROTOCOLS = 101;

/**
 * Charged is what was passed on, whatever the provider counts: it hears silence as well. Who sent nothing has left before he asked for
 * anything. The text is kept where its desktop may not have it.
 */
export function describeLive(start: LiveStart, facts: LiveFacts): UsageEvent {
  const { liveId: _, caller, format: __, traceparent, ...named } = start;
  const { firstTextMs, usage, text, ...told } = facts;
  const audioSeconds = Math.min(MOST_AUDIO_SECONDS, facts.audioSeconds);
  const outcome = facts.outcome === 'ok' && audioSeconds === 0 ? 'client_abort' : facts.outcome;
  return {
    ...named,
    type: 'transcribe',
    ...told,
    outcome,
    status: SWITCHING_PROTOCOLS,
    ...(caller.userId === undefined ? {} : { userId: caller.userId }),
    ...(caller.deviceId === undefined ? {} : { deviceId: caller.deviceId }),
    ...(firstTextMs === undefined ? {} : { ttfbMs: Math.round(firstTextMs) }),
    durationMs: Math.round(facts.durationMs),
    audioSeconds,
    audioSource: audioSeconds === 0 ? 'none' : 'header',
    ...(usage === undefined ? {} : { usage }),
    ...(outcome === 'client_abort' && text !== '' ? { result: text } : {}),
    ...(traceparent === '' ? {} : { traceparent }),
  };
}
