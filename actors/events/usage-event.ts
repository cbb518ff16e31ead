/**
 * The usage event: what the gateway reports about one admitted request (contract §4). What is known of a field stands in one row of
 * `EVENT_FIELDS`; the event's forms on a stream, on the gateway's own disk and in the table `jobs` follow from it. Pure; who sends, stores
 * or bills it is decided elsewhere.
 */
import { VelloError, type FieldProblem } from '../../config/errors.ts';
import {
  anyText,
  isStorable,
  jsonObject,
  mendedText,
  numberUpTo,
  oneOf,
  uuid,
  whole,
  wholeUpTo,
  type FieldCodec,
} from './field-codecs.ts';

export const USAGE_EVENT_TYPES = ['transcribe', 'process'] as const;
export type UsageEventType = (typeof USAGE_EVENT_TYPES)[number];

export const OUTCOMES = ['ok', 'client_abort', 'upstream_error', 'truncated', 'timeout', 'shutdown', 'lost'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const AUDIO_SOURCES = ['header', 'usage', 'estimate', 'none'] as const;

/** The last moment of the year 9999: later ones have no four-digit year, and no place in ISO 8601 as we write it. */
const LATEST_MS = 253_402_300_799_999;
/** Four months of sound. Whatever claims more is broken, and would cost its owner everything. */
export const MOST_AUDIO_SECONDS = 10_000_000;

interface EventField {
  /** On a stream, and of the column of `jobs`. */
  readonly name: string;
  readonly codec: FieldCodec<unknown>;
  /** What is absent is the empty string on a stream. */
  readonly is: 'required' | 'optional' | 'maybe empty';
  /** Type of the column of `jobs` that keeps it. */
  readonly column?: ColumnType;
}

type ColumnType = 'uuid' | 'text' | 'int4' | 'int8' | 'float8' | 'timestamptz' | 'jsonb';

/** In the order of the stream and of the disk. New ones go to the end and are optional: older gateways, and their disks, lack them. */
const EVENT_FIELDS = {
  /** UUIDv7; what makes billing the event twice impossible. */
  eventId: { name: 'event_id', codec: uuid, is: 'required', column: 'uuid' },
  type: { name: 'type', codec: oneOf(USAGE_EVENT_TYPES), is: 'required', column: 'text' },
  requestId: { name: 'request_id', codec: uuid, is: 'required', column: 'text' },
  sessionId: { name: 'session_id', codec: uuid, is: 'required', column: 'uuid' },
  /** Absent only where the gateway runs with admission open. */
  userId: { name: 'user_id', codec: uuid, is: 'optional', column: 'uuid' },
  deviceId: { name: 'device_id', codec: uuid, is: 'optional', column: 'uuid' },
  /** Empty when the request ended before one was chosen; so are `model` and `keyId`. */
  provider: { name: 'provider', codec: anyText, is: 'maybe empty', column: 'text' },
  model: { name: 'model', codec: mendedText, is: 'maybe empty', column: 'text' },
  /** Names the provider key that was used; never the key. */
  keyId: { name: 'key_id', codec: anyText, is: 'maybe empty' },
  outcome: { name: 'outcome', codec: oneOf(OUTCOMES), is: 'required', column: 'text' },
  /** Status that the client got, or would have got; 0 when it left before there was one. */
  status: { name: 'status', codec: wholeUpTo(999), is: 'required', column: 'int4' },
  startedAtMs: { name: 'started_at', codec: wholeUpTo(LATEST_MS), is: 'required', column: 'timestamptz' },
  /** To the first byte of the upstream's answer; absent when none came. */
  ttfbMs: { name: 'ttfb_ms', codec: whole, is: 'optional', column: 'int8' },
  durationMs: { name: 'duration_ms', codec: whole, is: 'required', column: 'int8' },
  bytesIn: { name: 'bytes_in', codec: whole, is: 'required', column: 'int8' },
  bytesOut: { name: 'bytes_out', codec: whole, is: 'required', column: 'int8' },
  audioSeconds: { name: 'audio_seconds', codec: numberUpTo(MOST_AUDIO_SECONDS), is: 'required', column: 'float8' },
  audioSource: { name: 'audio_source', codec: oneOf(AUDIO_SOURCES), is: 'required', column: 'text' },
  /** The provider's own account of the call, unchanged. */
  usage: { name: 'usage', codec: jsonObject, is: 'optional', column: 'jsonb' },
  /** The recognised text; present only where the client did not get it and must be able to recover it. */
  result: { name: 'result', codec: mendedText, is: 'optional' },
  /** Upstream calls made; 0 when the request ended before the first. */
  attempts: { name: 'attempts', codec: whole, is: 'required' },
  /** W3C Trace Context. */
  traceparent: { name: 'traceparent', codec: anyText, is: 'optional' },
  /** Which text of which system prompt was put into the request: `name@version`. */
  prompt: { name: 'prompt', codec: anyText, is: 'optional', column: 'text' },
} as const satisfies Readonly<Record<string, EventField>>;

type Fields = typeof EVENT_FIELDS;
type ValueOf<F extends EventField> = F['codec'] extends FieldCodec<infer T> ? T : never;
type PresentFields = {
  readonly [P in keyof Fields as Fields[P]['is'] extends 'optional' ? never : P]: ValueOf<Fields[P]>;
};
type OptionalFields = {
  readonly [P in keyof Fields as Fields[P]['is'] extends 'optional' ? P : never]?: ValueOf<Fields[P]>;
};

export interface UsageEvent extends PresentFields, OptionalFields {}

type Row = EventField & { readonly property: keyof UsageEvent };
const ROWS = Object.entries(EVENT_FIELDS).map(([property, field]) => ({ property, ...field })) as readonly Row[];

/** Names of the columns of `jobs` that keep a field. */
export type JobColumn = {
  [P in keyof Fields]: Fields[P] extends { readonly column: ColumnType } ? Fields[P]['name'] : never;
}[keyof Fields];

/** What each of them holds. */
export type JobColumnValues = {
  readonly [P in keyof Fields as Fields[P] extends { readonly column: ColumnType } ? Fields[P]['name'] : never]:
    | (Fields[P] extends { readonly column: 'timestamptz' } ? Date : ValueOf<Fields[P]>)
    | (Fields[P]['is'] extends 'optional' ? null : never);
};

/** The columns of `jobs` that keep a field, with the property that each of them keeps. */
export const JOB_COLUMNS = ROWS.flatMap(({ name, property, column }) =>
  column === undefined ? [] : [{ name: name as JobColumn, property, type: column }],
);

/** The event's form in `POST /api/jobs/add`. */
export type UsageEventFields = Readonly<Record<'v' | Fields[keyof Fields]['name'], string>>;

/** Names of the fields on the stream, in its order. */
export const EVENT_FIELD_NAMES: readonly string[] = ROWS.map(({ name }) => name);

/** The event's values as they stand on the stream, in the order of `EVENT_FIELD_NAMES`; an absent value is the empty string. */
export function fieldTexts(event: UsageEvent): string[] {
  const values = valuesOf(event);
  let at = 0;
  for (const row of ROWS) {
    values[at] = textOf(row, values[at]);
    at += 1;
  }
  return values as string[];
}

/** The event's form on the stream: field names and values in turn. */
export function flattenUsageEvent(event: UsageEvent): string[] {
  const texts = fieldTexts(event);
  return ['v', '1', ...EVENT_FIELD_NAMES.flatMap((name, at) => [name, texts[at] ?? ''])];
}

const textOf = ({ codec }: EventField, value: unknown): string => (value === undefined ? '' : codec.write(value));

/** In the order of `EVENT_FIELDS`. Written out, since a loop over the table takes three times as long, and every event comes by twice. */
const valuesOf = (event: UsageEvent): unknown[] => [
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
  event.prompt,
];

/**
 * The event behind stream fields or a JSON object of strings. Fields it does not know are ignored, so that a newer
 * gateway may add some.
 * @throws VelloError `EVENT_MALFORMED`, which lists every offending field.
 */
export function decodeUsageEvent(fields: Readonly<Record<string, unknown>>): UsageEvent {
  const problems = fields['v'] === '1' ? [] : [{ field: '/v', problem: 'must be 1' }];
  return readFields(problems, ({ name }) => fields[name]);
}

/** What is known of an event when its request is admitted: all that it says should this process die. */
export type AdmittedRequest = Pick<
  UsageEvent,
  | ('eventId' | 'type' | 'requestId' | 'sessionId' | 'userId' | 'deviceId')
  | ('provider' | 'model' | 'keyId' | 'startedAtMs' | 'traceparent')
>;

/** For `unpackUsageEvent`: a third of the bytes of the stream's form. Holds no line break. */
export const packUsageEvent = (event: UsageEvent): string => JSON.stringify(valuesOf(event));

/** As `packUsageEvent` would write the event of a request of which no end is known, in half of the time: every request is noted, and hardly any lost. */
export function packLostEvent(request: AdmittedRequest): string {
  const { eventId, type, requestId, sessionId, userId, deviceId, provider, model, keyId, startedAtMs } = request;
  return (
    `["${eventId}","${type}","${requestId}","${sessionId}",${quoted(userId)},${quoted(deviceId)},${quoted(provider)},` +
    `${quoted(model)},${quoted(keyId)},"lost",0,${startedAtMs},null,0,0,0,0,"none",null,null,0,${quoted(request.traceparent)},null]`
  );
}

function quoted(text: string | undefined): string {
  if (text === undefined) return 'null';
  return text === '' ? '""' : JSON.stringify(text);
}

/** @throws where `text` is neither what `packUsageEvent` made nor an event's fields as JSON, as earlier versions wrote them */
export function unpackUsageEvent(text: string): UsageEvent {
  const parsed = JSON.parse(text) as unknown;
  if (!Array.isArray(parsed)) return decodeUsageEvent(parsed as Readonly<Record<string, unknown>>);
  // Whatever it is, it must pass for one.
  return readFields([], (row, at) => textOf(row, parsed[at] ?? undefined));
}

/** Adds what is wrong with the fields to `problems`, and throws where there are any. */
function readFields(problems: FieldProblem[], textAt: (row: Row, at: number) => unknown): UsageEvent {
  const event: Partial<Record<keyof UsageEvent, unknown>> = {};
  const refuse = (name: string, problem: string) => void problems.push({ field: `/${name}`, problem });
  for (const [at, row] of ROWS.entries()) {
    const text = textAt(row, at) ?? '';
    if (typeof text !== 'string') refuse(row.name, 'must be a string');
    else if (text === '' && row.is === 'required') refuse(row.name, 'is missing');
    else if (text !== '' || row.is === 'maybe empty') {
      try {
        event[row.property] = row.codec.read(text);
      } catch (error) {
        if (!isStorable(text)) refuse(row.name, 'must hold no U+0000 and no unpaired surrogate');
        else refuse(row.name, error instanceof TypeError ? error.message : 'cannot be read');
      }
    }
  }
  if (problems.length > 0) {
    const named = problems.map(({ field, problem }) => `${field} ${problem}`).join('; ');
    throw new VelloError('EVENT_MALFORMED', `The usage event is malformed: ${named}.`, { fields: problems });
  }
  // Each field was read or is optional: an event with problems is never returned.
  return event as UsageEvent;
}
