/** Reading an account: itself, its ledger, its jobs and their texts. Nothing here changes anything. */
import { VelloError } from '../../../config/errors.ts';
import type { AccountRecords } from '../../../actors/account/account-records.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { numberCursor, pageOf, PAGE_QUERY, readPage, uuidCursor } from './page.ts';
import { ACCOUNT, JOB, JOB_DETAILS, LEDGER_ENTRY, TRANSCRIPTION } from './record-schemas.ts';
import { closed, UUID } from '../api/schemas.ts';

export function accountRecordRoutes(records: AccountRecords): readonly ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/me',
      tag: 'Account',
      summary: 'The account and its credits.',
      auth: 'access',
      answers: { 200: { description: 'The account.', schema: ACCOUNT } },
      handle: async ({ caller }) => {
        const account = await records.account(caller.userId);
        // The token outlived its account by the moment that a revocation takes to spread.
        if (account === undefined) throw new VelloError('AUTH_TOKEN_INVALID');
        return { status: 200, body: { ...account, device_id: caller.deviceId } };
      },
    }),

    apiRoute({
      method: 'GET',
      path: '/api/credits/ledger',
      tag: 'Account',
      summary: 'Every movement of credits, newest first.',
      description: 'The ledger is append-only: `balance_after` of the newest entry is the balance.',
      auth: 'access',
      query: PAGE_QUERY,
      answers: { 200: { description: 'One page.', schema: pageOf(LEDGER_ENTRY) } },
      handle: async ({ caller, query }) => ({
        status: 200,
        body: await readPage(
          query,
          numberCursor('ledger'),
          (slice) => records.ledger(caller.userId, slice),
          (row) => row.entry,
        ),
      }),
    }),

    apiRoute({
      method: 'GET',
      path: '/api/jobs',
      tag: 'Jobs',
      summary: 'What was done for this account, newest first.',
      auth: 'access',
      query: PAGE_QUERY,
      answers: { 200: { description: 'One page.', schema: pageOf(JOB) } },
      handle: async ({ caller, query }) => ({
        status: 200,
        body: await readPage(
          query,
          uuidCursor('jobs'),
          (slice) => records.jobs(caller.userId, slice),
          (row) => row.job_id,
        ),
      }),
    }),

    apiRoute({
      method: 'GET',
      path: '/api/jobs/{id}',
      tag: 'Jobs',
      summary: 'One job, with its text.',
      auth: 'access',
      params: closed({ id: UUID }),
      answers: { 200: { description: 'The job.', schema: JOB_DETAILS } },
      errors: ['JOB_NOT_FOUND'],
      handle: async ({ caller, params }) => {
        const job = await records.job(caller.userId, params.id);
        if (job === undefined) throw new VelloError('JOB_NOT_FOUND');
        return { status: 200, body: job };
      },
    }),

    apiRoute({
      method: 'GET',
      path: '/api/transcriptions',
      tag: 'Jobs',
      summary: 'The texts that reached their owner, newest job first.',
      auth: 'access',
      query: PAGE_QUERY,
      answers: { 200: { description: 'One page.', schema: pageOf(TRANSCRIPTION) } },
      handle: async ({ caller, query }) => ({
        status: 200,
        body: await readPage(
          query,
          uuidCursor('transcriptions'),
          (slice) => records.transcriptions(caller.userId, slice),
          (row) => row.job_id,
        ),
      }),
    }),
  ];
}
