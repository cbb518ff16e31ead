/** Turns what was observed of one request into its usage event. Pure; the exchange observes, this decides what it means. */
import type { Caller } from '../admission/admission.ts';
import { LEAST_BYTES_PER_SECOND, type AudioLength } from '../audio/audio-length.ts';
import { BYTES_PER_TOKEN, type AnswerSummary } from '../metering/answer-reader.ts';
import { isShallow } from '../events/field-codecs.ts';
import { MOST_AUDIO_SECONDS, type AdmittedRequest, type UsageEvent } from '../events/usage-event.ts';

/** Providers round up what is short: so much is believed of any request. */
const ROUNDED_SECONDS = 60;

/** Fields of the event that follow from the other facts. */
type Derived =
  'userId' | 'deviceId' | 'ttfbMs' | 'audioSeconds' | 'audioSource' | 'usage' | 'result' | 'traceparent' | 'prompt';

export interface ExchangeFacts extends Omit<UsageEvent, Derived> {
  readonly caller: Caller;
  readonly ttfbMs: number | undefined;
  /** The whole body arrived. */
  readonly uploadComplete: boolean;
  readonly audio: AudioLength;
  /** Of the request's words, without the files in it. */
  readonly textBytes: number;
  /** Images that were asked for; 0 where none are made. */
  readonly images: number;
  readonly answer: AnswerSummary | undefined;
  /** The client left before it had the answer. */
  readonly clientLeft: boolean;
  readonly traceparent: string;
  /** Empty where none was put in. */
  readonly prompt: string;
}

type AdmissionFacts = Pick<
  ExchangeFacts,
  'eventId' | 'type' | 'requestId' | 'sessionId' | 'caller' | 'model' | 'startedAtMs' | 'traceparent'
>;

/** Of a request that was not sent on yet. */
export function describeAdmission(facts: AdmissionFacts): AdmittedRequest {
  const request: Writable<AdmittedRequest> = {
    eventId: facts.eventId,
    type: facts.type,
    requestId: facts.requestId,
    sessionId: facts.sessionId,
    provider: '',
    model: facts.model,
    keyId: '',
    startedAtMs: facts.startedAtMs,
  };
  addCaller(request, facts.caller);
  if (facts.traceparent !== '') request.traceparent = facts.traceparent;
  return request;
}

function addCaller(to: Writable<AdmittedRequest>, { userId, deviceId }: Caller): void {
  if (userId !== undefined) to.userId = userId;
  if (deviceId !== undefined) to.deviceId = deviceId;
}

export function describeExchange(facts: ExchangeFacts): UsageEvent {
  const { caller, answer, ttfbMs, traceparent } = facts;
  const { audioSeconds, audioSource } = audioOf(facts);
  const event: Writable<UsageEvent> = {
    eventId: facts.eventId,
    type: facts.type,
    requestId: facts.requestId,
    sessionId: facts.sessionId,
    provider: facts.provider,
    model: facts.model,
    keyId: facts.keyId,
    outcome: facts.outcome,
    status: facts.status,
    startedAtMs: facts.startedAtMs,
    durationMs: Math.round(facts.durationMs),
    bytesIn: facts.bytesIn,
    bytesOut: facts.bytesOut,
    audioSeconds,
    audioSource,
    attempts: facts.attempts,
  };
  addCaller(event, caller);
  if (ttfbMs !== undefined) event.ttfbMs = Math.round(ttfbMs);
  const usage = usageOf(facts);
  if (usage !== undefined) event.usage = usage;
  const isRecoverable = facts.clientLeft && facts.type === 'transcribe';
  if (isRecoverable && answer?.text !== undefined) event.result = answer.text;
  if (traceparent !== '') event.traceparent = traceparent;
  if (facts.prompt !== '') event.prompt = facts.prompt;
  return event;
}

type Writable<T> = { -readonly [P in keyof T]: T[P] };

/**
 * The provider's own account where there is one. Of a chat that ended before it came, what passed is counted, and marked as such:
 * asking for no account, or leaving before it, is no way to chat for free. Of what is no chat, what was asked for is counted.
 */
function usageOf({ type, status, ttfbMs, answer, textBytes, images }: ExchangeFacts): UsageEvent['usage'] {
  if (answer?.usage !== undefined && isShallow(answer.usage)) return answer.usage;
  if (type !== 'process' || ttfbMs === undefined || status >= 400 || answer?.passedTokens === undefined)
    return undefined;
  const prompt = Math.ceil(textBytes / BYTES_PER_TOKEN);
  const made = answer.passedTokens + images * TOKENS_PER_IMAGE;
  return { prompt_tokens: prompt, completion_tokens: made, estimated: true };
}

/** What an image of a model that counts none is taken for: those that do count have some 1,000 for a square one of middling quality. */
const TOKENS_PER_IMAGE = 1_000;

/**
 * What the provider counted comes first, then what the audio's own frames say, a guess from its size last. A count
 * of more seconds than so many bytes can hold is none. Of what the client claims nothing is believed: docs/decisions/what-is-charged.md.
 */
function audioOf(facts: ExchangeFacts): Pick<UsageEvent, 'audioSeconds' | 'audioSource'> {
  const { type, uploadComplete, ttfbMs, audio, answer, bytesIn } = facts;
  if (type !== 'transcribe') return { audioSeconds: 0, audioSource: 'none' };
  const counted = answer?.audioSeconds ?? 0;
  const most = Math.min(MOST_AUDIO_SECONDS, Math.max(ROUNDED_SECONDS, bytesIn / LEAST_BYTES_PER_SECOND));
  if (counted > 0 && counted <= most) return { audioSeconds: counted, audioSource: 'usage' };
  // Nobody heard a recording that was still on its way.
  if (!uploadComplete && ttfbMs === undefined) return { audioSeconds: 0, audioSource: 'none' };
  return { audioSeconds: audio.audioSeconds, audioSource: audio.source };
}
