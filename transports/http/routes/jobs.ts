/** Where the collector brings usage events: `POST /api/jobs/add` settles them, `POST /api/jobs/dead-letters` records what it gave up. */
import { Type } from '@sinclair/typebox';
import { settleEvents, type EventResult, type SettleEventsParts } from '../../../actors/credits/settle-events.ts';
import type { AbandonedEvents } from '../../../actors/intake/jobs-api.ts';
import { VelloError } from '../../../config/errors.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';

export interface JobRoutesParts extends SettleEventsParts {
  readonly abandoned: AbandonedEvents;
}

/** Beyond this many events in one call a transaction would hold its users' balances for too long. */
const MOST_EVENTS = 500;
/** 500 events of the usual size with room for the long texts among them. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export function jobRoutes(parts: JobRoutesParts): readonly ApiRoute[] {
  return [addJobs(parts), addDeadLetters(parts)];
}

const EVENT = Type.Object(
  {},
  { additionalProperties: true, description: 'A usage event: its stream fields, all of them strings.' },
);

const JOB = Type.Object({
  job_id: Type.String({ format: 'uuid' }),
  credits_deducted: Type.Integer(),
  balance: Type.Integer(),
  duplicate: Type.Boolean(),
});

const REFUSAL = Type.Object({
  error: Type.Object({ status: Type.Integer(), code: Type.String(), detail: Type.String() }),
});

function addJobs(parts: JobRoutesParts): ApiRoute {
  return apiRoute({
    method: 'POST',
    path: '/api/jobs/add',
    tag: 'Services',
    summary: 'Turn usage events into jobs and credits',
    description:
      'Takes either `event` or `events`. One transaction: job inserted, credits moved, event id remembered. An event that was settled ' +
      'before changes nothing and is answered with `duplicate: true`. Each of `events` has its own verdict, in order.',
    auth: 'service',
    body: Type.Object(
      {
        event: Type.Optional(EVENT),
        events: Type.Optional(Type.Array(EVENT, { minItems: 1, maxItems: MOST_EVENTS })),
      },
      { additionalProperties: false },
    ),
    answers: {
      200: {
        description: 'Settled.',
        schema: Type.Union([JOB, Type.Object({ results: Type.Array(Type.Union([JOB, REFUSAL])) })]),
      },
    },
    errors: ['EVENT_MALFORMED', 'USER_UNKNOWN', 'UNAVAILABLE'],
    maxBodyBytes: MAX_BODY_BYTES,
    // One event's text must not take its neighbours down.
    anyText: true,
    handle: async ({ body: { event, events } }) => {
      if ((event === undefined) === (events === undefined)) {
        const fields = [{ field: '', problem: 'Expected either event or events' }];
        throw new VelloError('INVALID_FIELDS', 'Send either event or events.', { fields });
      }
      const results = await settleEvents(parts, events ?? [event ?? {}]);
      if (events !== undefined) return { status: 200, body: { results: results.map(toVerdict) } };
      const [result] = results;
      if (result instanceof VelloError) throw result;
      return { status: 200, body: toVerdict(result) };
    },
  });
}

function toVerdict(result: EventResult | undefined): object {
  if (result === undefined) throw new Error('an event has no result');
  if (result instanceof VelloError) {
    const { status, code, detail, extras } = result;
    return { error: { status, code, detail, ...(extras.fields === undefined ? {} : { errors: extras.fields }) } };
  }
  const { jobId, creditsDeducted, balance, duplicate } = result;
  return { job_id: jobId, credits_deducted: creditsDeducted, balance, duplicate };
}

const TEXT = Type.String({ maxLength: 200, minLength: 1 });

function addDeadLetters({ abandoned }: JobRoutesParts): ApiRoute {
  return apiRoute({
    method: 'POST',
    path: '/api/jobs/dead-letters',
    tag: 'Services',
    summary: 'Record usage events that were given up',
    description: 'Recording the same entry again changes nothing.',
    auth: 'service',
    body: Type.Object(
      {
        dead_letters: Type.Array(
          Type.Object(
            {
              stream: TEXT,
              entry_id: TEXT,
              fields: Type.Record(Type.String(), Type.String()),
              attempts: Type.Array(
                Type.Object(
                  { attempt: Type.Integer(), at: Type.Integer(), error: TEXT },
                  { additionalProperties: false },
                ),
              ),
              error_code: TEXT,
            },
            { additionalProperties: false },
          ),
          { minItems: 1, maxItems: 100 },
        ),
      },
      { additionalProperties: false },
    ),
    answers: { 200: { description: 'Recorded.', schema: Type.Object({ recorded: Type.Integer() }) } },
    maxBodyBytes: MAX_BODY_BYTES,
    handle: async ({ body }) => {
      const recorded = await abandoned.record(
        body.dead_letters.map(({ stream, entry_id, fields, attempts, error_code }) => ({
          stream,
          entryId: entry_id,
          fields,
          attempts,
          errorCode: error_code,
        })),
      );
      return { status: 200, body: { recorded } };
    },
  });
}
