/** The jobs api over HTTP: `POST /api/jobs/add` and `POST /api/jobs/dead-letters`, and what their answers say. */
import { failureOfStatus } from '../../../actors/intake/event-verdict.ts';
import type { AddedJob, JobsApi } from '../../../actors/intake/jobs-api.ts';
import { storableText } from '../../../actors/events/field-codecs.ts';
import { VelloError } from '../../../config/errors.ts';
import type { ServiceClient, ServiceReply } from './service-client.ts';

export function createJobsClient(client: ServiceClient): JobsApi {
  return {
    addJobs: async (events) => {
      const reply = await client.call('POST', '/api/jobs/add', { events });
      const { results } = succeeded(reply) as { readonly results?: unknown };
      if (!Array.isArray(results) || results.length !== events.length) throw mismatch('as many results as events');
      return results.map(toAddedJob);
    },
    recordDeadLetters: async (events) => {
      const letters = events.map(({ stream, entryId, fields, attempts, errorCode }) => ({
        stream,
        entry_id: entryId,
        // The api refuses text that it could not keep: what was given up because of its text is recorded with that text repaired.
        fields: Object.fromEntries(
          Object.entries(fields).map(([name, value]) => [storableText(name), storableText(value)]),
        ),
        attempts,
        error_code: errorCode,
      }));
      succeeded(await client.call('POST', '/api/jobs/dead-letters', { dead_letters: letters }));
    },
  };
}

function succeeded({ status, body }: ServiceReply): object {
  if (status !== 200) {
    const code = (body as { readonly code?: unknown } | undefined)?.code;
    throw failureOfStatus(status, typeof code === 'string' ? code : '');
  }
  if (typeof body !== 'object' || body === null) throw mismatch('an object');
  return body;
}

function toAddedJob(result: unknown): AddedJob {
  const { job_id, credits_deducted, duplicate, error } = result as Readonly<Record<string, unknown>>;
  if (typeof job_id === 'string' && typeof credits_deducted === 'number' && typeof duplicate === 'boolean') {
    return { kind: 'job', jobId: job_id, creditsDeducted: credits_deducted, duplicate };
  }
  const { status, code } = (error ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof status === 'number' && typeof code === 'string') return { kind: 'refused', status, code };
  throw mismatch('a job or an error for each event');
}

const mismatch = (expected: string) => new VelloError('API_MISMATCH', `Expected ${expected} from the api.`);
