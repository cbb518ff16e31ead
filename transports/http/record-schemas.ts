/** How the records of an account look in answers: the JSON side of `actors/ports/account-records.ts`, for checks in tests and for the OpenAPI document. */
import { Type, type TSchema } from '@sinclair/typebox';
import { closedObject } from './page.ts';

export const Uuid = (description?: string) =>
  Type.String({ format: 'uuid', ...(description === undefined ? {} : { description }) });
/** ISO 8601 in UTC with milliseconds (contract §2). */
export const Time = (description?: string) =>
  Type.String({ format: 'date-time', ...(description === undefined ? {} : { description }) });
const Nullable = (schema: TSchema, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
const Count = (description?: string) => Type.Integer(description === undefined ? {} : { description });

export const Account = closedObject(
  {
    user_id: Uuid(),
    device_id: Uuid('The device that asks.'),
    created_at: Time(),
    credits: closedObject({
      balance: Count('May be below zero once: work already done is always recorded.'),
      suspended: Type.Boolean({ description: 'The gateway answers 402 until credits are added.' }),
    }),
  },
  { $id: 'Account' },
);

export const Device = closedObject(
  {
    device_id: Uuid(),
    name: Type.String(),
    os: Type.String(),
    app_version: Type.String(),
    created_at: Time(),
    last_seen_at: Time(),
    revoked_at: Nullable(Time(), 'Since when its key and tokens open nothing.'),
  },
  { $id: 'Device' },
);

export const LedgerEntry = closedObject(
  {
    entry: Count('Counts from 1 without gaps.'),
    delta: Count('Credits added, or taken where negative.'),
    balance_after: Count(),
    kind: Type.Union([Type.Literal('grant'), Type.Literal('charge'), Type.Literal('erasure')]),
    job_id: Nullable(Uuid(), 'What was charged for.'),
    created_at: Time(),
  },
  { $id: 'LedgerEntry' },
);

const jobFields = {
  job_id: Uuid(),
  device_id: Uuid(),
  session_id: Uuid('The X-Session-Id of the request.'),
  event_id: Uuid(),
  request_id: Type.String({ description: 'The X-Request-Id that the gateway answered with.' }),
  type: Type.Union([Type.Literal('transcribe'), Type.Literal('process')]),
  provider: Type.String(),
  model: Type.String(),
  outcome: Type.String({
    description: 'How the request ended: ok, client_abort, upstream_error, truncated, timeout or shutdown.',
  }),
  status: Count('HTTP status that the gateway answered with.'),
  audio_seconds: Nullable(Type.Number()),
  audio_source: Type.String({ description: 'Where the length was read: header, usage, estimate or none.' }),
  usage: Type.Unknown({ description: 'Usage as the provider reported it, or null.' }),
  bytes_in: Count(),
  bytes_out: Count(),
  ttfb_ms: Nullable(Count()),
  duration_ms: Count(),
  credits_deducted: Count(),
  started_at: Time(),
  created_at: Time(),
  transcribed_at: Nullable(Time(), 'When the text reached its owner. A transcription without it is an orphan.'),
};

const TextSource = Type.Union([Type.Literal('device'), Type.Literal('gateway')]);

export const Job = closedObject(jobFields, { $id: 'Job' });

export const JobDetails = closedObject(
  {
    ...jobFields,
    transcription: Nullable(closedObject({ text: Type.String(), source: TextSource, created_at: Time() })),
    kept_text: Nullable(Type.String(), 'Text that the gateway kept because the desktop had gone.'),
  },
  { $id: 'JobDetails' },
);

export const Transcription = closedObject(
  { job_id: Uuid(), device_id: Uuid(), text: Type.String(), source: TextSource, created_at: Time() },
  { $id: 'Transcription' },
);
