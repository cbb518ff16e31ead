/** Turns what was observed of one request into its usage event. Pure; the exchange observes, this decides what it means. */
import type { Caller } from '../admission/admission.ts';
import type { AnswerSummary } from './answer-reader.ts';
import type { MeteredAudio } from './upload-meter.ts';
import type { AudioSource, Outcome, UsageEvent, UsageEventType } from './usage-event.ts';

export interface ExchangeFacts {
  readonly eventId: string;
  readonly type: UsageEventType;
  readonly requestId: string;
  readonly sessionId: string;
  readonly caller: Caller;
  readonly provider: string;
  readonly model: string;
  readonly keyId: string;
  readonly outcome: Outcome;
  readonly status: number;
  readonly startedAtMs: number;
  readonly ttfbMs: number | undefined;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The whole body arrived: only then was there something to recognise. */
  readonly uploadComplete: boolean;
  readonly audio: MeteredAudio;
  readonly answer: AnswerSummary | undefined;
  /** The client left before it had the answer. */
  readonly clientLeft: boolean;
  readonly attempts: number;
  readonly traceparent: string;
}

export function describeExchange(facts: ExchangeFacts): UsageEvent {
  const { caller, answer, ttfbMs, traceparent } = facts;
  const audio = audioOf(facts);
  const isRecoverable = facts.clientLeft && facts.type === 'transcribe' && answer?.text !== undefined;
  return {
    eventId: facts.eventId,
    type: facts.type,
    requestId: facts.requestId,
    sessionId: facts.sessionId,
    ...(caller.userId === undefined ? {} : { userId: caller.userId }),
    ...(caller.deviceId === undefined ? {} : { deviceId: caller.deviceId }),
    provider: facts.provider,
    model: facts.model,
    keyId: facts.keyId,
    outcome: facts.outcome,
    status: facts.status,
    startedAtMs: facts.startedAtMs,
    ...(ttfbMs === undefined ? {} : { ttfbMs: Math.round(ttfbMs) }),
    durationMs: Math.round(facts.durationMs),
    bytesIn: facts.bytesIn,
    bytesOut: facts.bytesOut,
    audioSeconds: audio.audioSeconds,
    audioSource: audio.source,
    ...(answer?.usage === undefined ? {} : { usage: answer.usage }),
    ...(isRecoverable ? { result: answer.text } : {}),
    attempts: facts.attempts,
    ...(traceparent === '' ? {} : { traceparent }),
  };
}

/** Providers count in whole seconds. */
const ROUNDING_SECONDS = 1;

/**
 * The header is what the audio itself says; the provider's count comes next, a guess from the size last (contract §4). A header that
 * says less than the provider heard is a forgery, or names only the first part of what follows.
 */
function audioOf(facts: ExchangeFacts): { readonly audioSeconds: number; readonly source: AudioSource } {
  if (facts.type !== 'transcribe' || !facts.uploadComplete) return { audioSeconds: 0, source: 'none' };
  const counted = facts.answer?.audioSeconds ?? 0;
  const believed = facts.audio.source === 'header' ? facts.audio.audioSeconds + ROUNDING_SECONDS : 0;
  return counted > believed ? { audioSeconds: counted, source: 'usage' } : facts.audio;
}
