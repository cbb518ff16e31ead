/** What a provider says over its realtime protocol (OpenAI's API reference, "Realtime server events"), as far as a transcription cares. Both its names and those of its beta are understood. */

import { isShallow } from '../../actors/events/field-codecs.ts';

export type RealtimeEvent =
  | { readonly kind: 'configured' }
  | { readonly kind: 'started'; readonly item: string; readonly startMs: number | undefined }
  | { readonly kind: 'stopped'; readonly item: string; readonly endMs: number | undefined }
  | { readonly kind: 'committed'; readonly item: string }
  | { readonly kind: 'partial'; readonly item: string; readonly delta: string }
  | { readonly kind: 'final'; readonly item: string; readonly text: string; readonly usage: Usage | undefined }
  | { readonly kind: 'failed'; readonly item: string; readonly code: string }
  | { readonly kind: 'error'; readonly error: RealtimeFailure }
  /** Nothing for us. */
  | { readonly kind: 'other' };

export interface RealtimeFailure {
  readonly type: string;
  readonly code: string;
  readonly message: string;
  readonly param: string;
  /** Of our event that it answers. */
  readonly eventId: string;
}

type Usage = Readonly<Record<string, unknown>>;

const TRANSCRIPTION = 'conversation.item.input_audio_transcription';

/** Undefined where it is no event at all. */
export function readRealtimeEvent(text: string): RealtimeEvent | undefined {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(event) || typeof event['type'] !== 'string') return undefined;
  const item = textOf(event['item_id']);
  switch (event['type']) {
    case 'session.updated':
    case 'transcription_session.updated':
      return { kind: 'configured' };
    case 'input_audio_buffer.speech_started':
      return { kind: 'started', item, startMs: wholeOf(event['audio_start_ms']) };
    case 'input_audio_buffer.speech_stopped':
      return { kind: 'stopped', item, endMs: wholeOf(event['audio_end_ms']) };
    case 'input_audio_buffer.committed':
      return { kind: 'committed', item };
    case `${TRANSCRIPTION}.delta`:
      return { kind: 'partial', item, delta: textOf(event['delta']) };
    case `${TRANSCRIPTION}.completed`: {
      const given = event['usage'];
      // What is nested deeper could be neither added up nor kept.
      const usage = isObject(given) && isShallow(given) ? given : undefined;
      return { kind: 'final', item, text: textOf(event['transcript']), usage };
    }
    case `${TRANSCRIPTION}.failed`:
      return { kind: 'failed', item, code: failureOf(event['error']).code };
    case 'error':
      return { kind: 'error', error: failureOf(event['error']) };
    default:
      return { kind: 'other' };
  }
}

function failureOf(told: unknown): RealtimeFailure {
  const error = isObject(told) ? told : {};
  return {
    type: textOf(error['type']),
    code: textOf(error['code']),
    message: textOf(error['message']),
    param: textOf(error['param']),
    eventId: textOf(error['event_id']),
  };
}

/** Numbers of the same name added up; an account of another kind takes the place of the one before. */
export function addUsage(sum: Usage | undefined, more: Usage): Usage {
  if (sum === undefined || sum['type'] !== more['type']) return more;
  const added: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(more)) {
    const before = sum[name];
    if (typeof value === 'number' && typeof before === 'number') added[name] = before + value;
    else if (isObject(value) && isObject(before)) added[name] = addUsage(before, value);
    else added[name] = value;
  }
  return added;
}

const isObject = (value: unknown): value is Usage =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

const wholeOf = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 && value < Number.MAX_SAFE_INTEGER ? Math.round(value) : undefined;
