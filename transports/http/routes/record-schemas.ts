/** How the records of an account look in answers: the JSON side of `actors/account/account-records.ts`, for checks in tests and for the OpenAPI document. */
import { Type, type TSchema } from '@sinclair/typebox';
import type { JobRecord } from '../../../actors/account/account-records.ts';
import { closed, described, nullable, TIME, UUID } from '../api/schemas.ts';

const COUNT = Type.Integer();

export const ACCOUNT = closed(
  {
    user_id: UUID,
    device_id: described(UUID, 'The device that asks.'),
    created_at: TIME,
    credits: closed({
      balance: described(COUNT, 'May be below zero once: work already done is always recorded.'),
      suspended: Type.Boolean({ description: 'The gateway answers 402 until credits are added.' }),
    }),
  },
  { $id: 'Account' },
);

export const DEVICE = closed(
  {
    device_id: UUID,
    name: Type.String(),
    os: Type.String(),
    app_version: Type.String(),
    created_at: TIME,
    last_seen_at: TIME,
    revoked_at: described(nullable(TIME), 'Since when its key and tokens open nothing.'),
  },
  { $id: 'Device' },
);

export const LEDGER_ENTRY = closed(
  {
    entry: described(COUNT, 'Counts from 1 without gaps.'),
    delta: described(COUNT, 'Credits added, or taken where negative.'),
    balance_after: COUNT,
    kind: Type.Union([Type.Literal('grant'), Type.Literal('charge'), Type.Literal('erasure')]),
    job_id: described(nullable(UUID), 'What was charged for.'),
    created_at: TIME,
  },
  { $id: 'LedgerEntry' },
);

const JOB_FIELDS = {
  job_id: UUID,
  device_id: UUID,
  session_id: described(UUID, 'The X-Session-Id of the request.'),
  event_id: UUID,
  request_id: Type.String({ description: 'The X-Request-Id that the gateway answered with.' }),
  type: Type.Union([Type.Literal('transcribe'), Type.Literal('process')]),
  provider: Type.String(),
  model: Type.String(),
  outcome: Type.String({
    description: 'How the request ended: ok, client_abort, upstream_error, truncated, timeout, shutdown or lost.',
  }),
  status: described(COUNT, 'HTTP status that the gateway answered with.'),
  audio_seconds: nullable(Type.Number()),
  audio_source: Type.String({ description: 'Where the length was read: header, usage, estimate or none.' }),
  usage: Type.Unknown({ description: 'Usage as the provider reported it, or null.' }),
  bytes_in: COUNT,
  bytes_out: COUNT,
  ttfb_ms: nullable(COUNT),
  duration_ms: COUNT,
  prompt: described(nullable(Type.String()), 'The system prompt that was put in, as name@version.'),
  credits_deducted: COUNT,
  started_at: TIME,
  created_at: TIME,
  transcribed_at: described(
    nullable(TIME),
    'When the text reached its owner. A transcription without it is an orphan.',
  ),
} satisfies Record<keyof JobRecord, TSchema>;

const TEXT_SOURCE = Type.Union([Type.Literal('device'), Type.Literal('gateway')]);

export const JOB = closed(JOB_FIELDS, { $id: 'Job' });

export const JOB_DETAILS = closed(
  {
    ...JOB_FIELDS,
    transcription: nullable(closed({ text: Type.String(), source: TEXT_SOURCE, created_at: TIME })),
    kept_text: described(nullable(Type.String()), 'Text that the gateway kept because the desktop had gone.'),
  },
  { $id: 'JobDetails' },
);

export const TRANSCRIPTION = closed(
  { job_id: UUID, device_id: UUID, text: Type.String(), source: TEXT_SOURCE, created_at: TIME },
  { $id: 'Transcription' },
);
