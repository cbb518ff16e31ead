/**
 * The usage event as one line of text on the gateway's own disk: a third of the time and half of the bytes of its stream fields as JSON,
 * because every request pays for it twice.
 */
import { decodeUsageEvent, encodeUsageEvent, type UsageEvent } from './usage-event.ts';

/** For `unpackUsageEvent`. Holds no line break. */
export function packUsageEvent(event: UsageEvent): string {
  return JSON.stringify([
    event.eventId,
    event.type,
    event.requestId,
    event.sessionId,
    event.userId,
    event.deviceId,
    event.provider,
    event.model,
    event.keyId,
    event.outcome,
    event.status,
    event.startedAtMs,
    event.ttfbMs,
    event.durationMs,
    event.bytesIn,
    event.bytesOut,
    event.audioSeconds,
    event.audioSource,
    event.usage,
    event.result,
    event.attempts,
    event.traceparent,
  ]);
}

/** @throws where `text` is neither what `packUsageEvent` made nor an event's fields as JSON, as earlier versions wrote them */
export function unpackUsageEvent(text: string): UsageEvent {
  const parsed = JSON.parse(text) as unknown;
  if (!Array.isArray(parsed)) return decodeUsageEvent(parsed as Readonly<Record<string, unknown>>);
  const event = Object.fromEntries(PACKED.map((name, at) => [name, parsed[at] ?? undefined]));
  // Whatever it is, it must pass for one.
  return decodeUsageEvent(encodeUsageEvent(event as unknown as UsageEvent));
}

/** In the order of `packUsageEvent`. New ones go to the end: an older line lacks them. */
const PACKED = [
  ...[
    'eventId',
    'type',
    'requestId',
    'sessionId',
    'userId',
    'deviceId',
    'provider',
    'model',
    'keyId',
    'outcome',
    'status',
  ],
  ...['startedAtMs', 'ttfbMs', 'durationMs', 'bytesIn', 'bytesOut', 'audioSeconds', 'audioSource', 'usage', 'result'],
  ...['attempts', 'traceparent'],
] as const satisfies readonly (keyof UsageEvent)[];
