/**
 * The usage event: what the gateway reports about one admitted request (contract §4), and its form on a stream, where
 * every field is a string. Pure; who sends, stores or bills it is decided elsewhere.
 */
import { VelloError, type FieldProblem } from '../../config/errors.ts';
import { isStorable, storableText } from './storable-text.ts';

export const USAGE_EVENT_TYPES = ['transcribe', 'process'] as const;
export type UsageEventType = (typeof USAGE_EVENT_TYPES)[number];

export const OUTCOMES = ['ok', 'client_abort', 'upstream_error', 'truncated', 'timeout', 'shutdown', 'lost'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const AUDIO_SOURCES = ['header', 'usage', 'estimate', 'none'] as const;
export type AudioSource = (typeof AUDIO_SOURCES)[number];

export interface UsageEvent {
  /** UUIDv7; what makes billing the event twice impossible. */
  readonly eventId: string;
  readonly type: UsageEventType;
  readonly requestId: string;
  readonly sessionId: string;
  /** Absent only where the gateway runs with admission open. */
  readonly userId?: string;
  readonly deviceId?: string;
  /** Empty when the request ended before one was chosen; so are `model` and `keyId`. */
  readonly provider: string;
  readonly model: string;
  /** Names the provider key that was used; never the key. */
  readonly keyId: string;
  readonly outcome: Outcome;
  /** Status that the client got, or would have got; 0 when it left before there was one. */
  readonly status: number;
  readonly startedAtMs: number;
  /** To the first byte of the upstream's answer; absent when none came. */
  readonly ttfbMs?: number;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly audioSeconds: number;
  readonly audioSource: AudioSource;
  /** The provider's own account of the call, unchanged. */
  readonly usage?: Readonly<Record<string, unknown>>;
  /** The recognised text; present only where the client did not get it and must be able to recover it. */
  readonly result?: string;
  /** Upstream calls made; 0 when the request ended before the first. */
  readonly attempts: number;
  /** W3C Trace Context. */
  readonly traceparent?: string;
}

const FIELD_NAMES = [
  'v',
  'event_id',
  'type',
  'request_id',
  'session_id',
  'user_id',
  'device_id',
  'provider',
  'model',
  'key_id',
  'outcome',
  'status',
  'started_at',
  'ttfb_ms',
  'duration_ms',
  'bytes_in',
  'bytes_out',
  'audio_seconds',
  'audio_source',
  'usage',
  'result',
  'attempts',
  'traceparent',
] as const;
type FieldName = (typeof FIELD_NAMES)[number];

/** The event's form on the stream and in `POST /api/jobs/add`. Every field is present; an absent value is the empty string. */
export type UsageEventFields = Readonly<Record<FieldName, string>>;

export function encodeUsageEvent(event: UsageEvent): UsageEventFields {
  return {
    v: '1',
    event_id: event.eventId,
    type: event.type,
    request_id: event.requestId,
    session_id: event.sessionId,
    user_id: event.userId ?? '',
    device_id: event.deviceId ?? '',
    provider: event.provider,
    model: storableText(event.model),
    key_id: event.keyId,
    outcome: event.outcome,
    status: String(event.status),
    started_at: String(event.startedAtMs),
    ttfb_ms: event.ttfbMs === undefined ? '' : String(event.ttfbMs),
    duration_ms: String(event.durationMs),
    bytes_in: String(event.bytesIn),
    bytes_out: String(event.bytesOut),
    audio_seconds: String(event.audioSeconds),
    audio_source: event.audioSource,
    usage: event.usage === undefined ? '' : usageText(event.usage),
    result: storableText(event.result ?? ''),
    attempts: String(event.attempts),
    traceparent: event.traceparent ?? '',
  };
}

/** What cannot be stored is written as an escape, so that the common case needs no second look. */
function usageText(usage: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(usage);
  if (!text.includes('\\u')) return text;
  return JSON.stringify(usage, (_, value: unknown) => (typeof value === 'string' ? storableText(value) : value));
}

/** Field names and values in turn, as XADD takes them and XRANGE gives them back. */
export function flattenUsageEvent(fields: UsageEventFields): string[] {
  return FIELD_NAMES.flatMap((name) => [name, fields[name]]);
}

/**
 * The event behind stream fields or a JSON object of strings. Fields it does not know are ignored, so that a newer
 * gateway may add some.
 * @throws VelloError `EVENT_MALFORMED`, which lists every offending field.
 */
export function decodeUsageEvent(fields: Readonly<Record<string, unknown>>): UsageEvent {
  const reader = createFieldReader(fields);
  if (reader.text('v') !== '1') reader.refuse('v', 'must be 1');
  const userId = reader.optional('user_id', uuid);
  const deviceId = reader.optional('device_id', uuid);
  const ttfbMs = reader.optional('ttfb_ms', whole);
  const usage = reader.optional('usage', jsonObject);
  const result = reader.optional('result', anyText);
  const traceparent = reader.optional('traceparent', anyText);
  const event: UsageEvent = {
    eventId: reader.required('event_id', uuid),
    type: reader.required('type', oneOf(USAGE_EVENT_TYPES)),
    requestId: reader.required('request_id', uuid),
    sessionId: reader.required('session_id', uuid),
    ...(userId === undefined ? {} : { userId }),
    ...(deviceId === undefined ? {} : { deviceId }),
    provider: reader.text('provider'),
    model: reader.text('model'),
    keyId: reader.text('key_id'),
    outcome: reader.required('outcome', oneOf(OUTCOMES)),
    status: reader.required('status', wholeUpTo(999)),
    startedAtMs: reader.required('started_at', wholeUpTo(LATEST_MS)),
    ...(ttfbMs === undefined ? {} : { ttfbMs }),
    durationMs: reader.required('duration_ms', whole),
    bytesIn: reader.required('bytes_in', whole),
    bytesOut: reader.required('bytes_out', whole),
    audioSeconds: reader.required('audio_seconds', audioLength),
    audioSource: reader.required('audio_source', oneOf(AUDIO_SOURCES)),
    ...(usage === undefined ? {} : { usage }),
    ...(result === undefined ? {} : { result }),
    attempts: reader.required('attempts', whole),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  if (reader.problems.length > 0) {
    const named = reader.problems.map(({ field, problem }) => `${field} ${problem}`).join('; ');
    throw new VelloError('EVENT_MALFORMED', `The usage event is malformed: ${named}.`, { fields: reader.problems });
  }
  return event;
}

/** The value, or a `TypeError` that completes "must be …". */
type FieldParser<T> = (text: string) => T;

function createFieldReader(fields: Readonly<Record<string, unknown>>) {
  const problems: FieldProblem[] = [];
  const refuse = (name: FieldName, problem: string) => void problems.push({ field: `/${name}`, problem });
  const text = (name: FieldName): string => {
    const value = fields[name] ?? '';
    if (typeof value === 'string' && isStorable(value)) return value;
    refuse(name, typeof value === 'string' ? 'must hold no U+0000 and no unpaired surrogate' : 'must be a string');
    return '';
  };
  const optional = <T>(name: FieldName, parse: FieldParser<T>): T | undefined => {
    const value = text(name);
    if (value === '') return undefined;
    try {
      return parse(value);
    } catch (error) {
      refuse(name, error instanceof TypeError ? error.message : 'cannot be read');
      return undefined;
    }
  };
  const required = <T>(name: FieldName, parse: FieldParser<T>): T => {
    const before = problems.length;
    const value = optional(name, parse);
    if (value === undefined && problems.length === before) refuse(name, 'is missing');
    // A missing value has been recorded as a problem, and an event with problems is never returned.
    return value as T;
  };
  return { problems, refuse, text, optional, required };
}

const anyText: FieldParser<string> = (value) => value;

const uuid: FieldParser<string> = (value) => {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value;
  throw new TypeError('must be a UUID in lower case');
};

/** Larger numbers are still exact in a `bigint` column and in JavaScript. */
const MOST = 1e15;
/** The last moment of the year 9999: later ones have no four-digit year, and no place in ISO 8601 as we write it. */
const LATEST_MS = 253_402_300_799_999;
/** Four months of sound. Whatever claims more is broken, and would cost its owner everything. */
export const MOST_AUDIO_SECONDS = 10_000_000;

const wholeUpTo =
  (most: number): FieldParser<number> =>
  (value) => {
    if (/^\d{1,15}$/.test(value) && Number(value) <= most) return Number(value);
    throw new TypeError(`must be a whole number, not negative${most === MOST ? '' : ` and at most ${most}`}`);
  };
const whole = wholeUpTo(MOST);

const audioLength: FieldParser<number> = (value) => {
  if (/^\d{1,15}(\.\d+)?(e-\d{1,3})?$/.test(value) && Number(value) <= MOST_AUDIO_SECONDS) return Number(value);
  throw new TypeError(`must be a number, not negative and at most ${MOST_AUDIO_SECONDS}`);
};

const oneOf =
  <T extends string>(choices: readonly T[]): FieldParser<T> =>
  (value) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new TypeError(`must be one of ${choices.join(', ')}`);
  };

/** Deeper values would exhaust the stack of whoever walks them, PostgreSQL included. */
const MOST_LEVELS = 32;
/** U+0000 or half of a surrogate pair, as `JSON.stringify` writes them. `jsonb` takes neither. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

const jsonObject: FieldParser<Readonly<Record<string, unknown>>> = (value) => {
  const parsed: unknown = JSON.parse(value);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new TypeError('must be a JSON object');
  }
  if (isDeeperThan(parsed, MOST_LEVELS)) throw new TypeError(`must be nested at most ${MOST_LEVELS} levels`);
  if (UNSTORABLE.test(JSON.stringify(parsed))) throw new TypeError('must hold no U+0000 and no unpaired surrogate');
  return parsed as Record<string, unknown>;
};

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1));
}
