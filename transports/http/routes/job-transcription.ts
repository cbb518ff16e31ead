/** Where a desktop without a WebSocket ends an orphan: it says which text it holds. */
import { Type } from '@sinclair/typebox';
import { VelloError } from '../../../config/errors.ts';
import type { ConfirmedTexts } from '../../../actors/account/confirmed-texts.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { closed, TIME, UUID } from '../api/schemas.ts';

/** Several hours of speech; the listener would refuse more anyway. */
const MAX_TEXT_LENGTH = 1_000_000;

export function jobTranscriptionRoutes(texts: ConfirmedTexts): readonly ApiRoute[] {
  return [
    apiRoute({
      method: 'PUT',
      path: '/api/jobs/{id}/transcription',
      tag: 'Jobs',
      summary: 'Confirms the text of a job.',
      description: 'The job stops being an orphan. The first text stands; a second call answers `duplicate: true`.',
      auth: 'access',
      params: closed({ id: UUID }),
      body: closed({ text: Type.String({ maxLength: MAX_TEXT_LENGTH }) }),
      maxBodyBytes: 4 * MAX_TEXT_LENGTH,
      answers: {
        200: {
          description: 'Recorded, now or before.',
          schema: closed({ job_id: UUID, transcribed_at: TIME, duplicate: Type.Boolean() }),
        },
      },
      errors: ['JOB_NOT_FOUND', 'JOB_TAKES_NO_TEXT'],
      handle: async ({ caller, params, body }) => {
        const confirmation = await texts.confirm(caller, params.id, body.text);
        if (confirmation.outcome === 'no_such_job') throw new VelloError('JOB_NOT_FOUND');
        if (confirmation.outcome === 'takes_no_text') throw new VelloError('JOB_TAKES_NO_TEXT');
        const { confirmedAt, duplicate } = confirmation;
        return { status: 200, body: { job_id: params.id, transcribed_at: confirmedAt, duplicate } };
      },
    }),
  ];
}
