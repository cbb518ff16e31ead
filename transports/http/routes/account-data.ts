/** An owner's right over the data: take all of it away, or have it erased. */
import { Type } from '@sinclair/typebox';
import { deleteAccount, type AccountErasure } from '../../../actors/account/delete-account.ts';
import type { AccountExport } from '../../../actors/account/account-records.ts';
import type { Clock } from '../../../actors/ports/clock.ts';
import { IDENTITY_LIMITS, takeOrRefuse } from '../../../actors/identity/rate-limits.ts';
import type { RateLimiter } from '../../../actors/ports/rate-limiter.ts';
import type { GrantPublisher } from '../../../actors/ports/grants.ts';
import { apiRoute, type ApiRoute } from '../api/api-route.ts';
import { TIME } from '../api/schemas.ts';

export interface AccountDataParts {
  readonly exporting: AccountExport;
  readonly erasure: AccountErasure;
  readonly grants: GrantPublisher;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
}

export function accountDataRoutes(parts: AccountDataParts): readonly ApiRoute[] {
  return [
    apiRoute({
      method: 'GET',
      path: '/api/me/export',
      tag: 'Account',
      summary: 'All that is kept about this account.',
      description:
        'One JSON object, streamed: a list of rows under the name of each section. Rows that are added meanwhile may or may not be in it. ' +
        'Hardware identifiers are kept as keyed hashes only; the export names their components.',
      auth: 'access',
      answers: {
        200: {
          description: 'The export, as a file.',
          schema: Type.Object(
            { exported_at: TIME },
            { additionalProperties: Type.Array(Type.Object({}, { additionalProperties: true })) },
          ),
        },
      },
      errors: ['RATE_LIMITED'],
      handle: async ({ caller }) => {
        await takeOrRefuse(parts.limiter, `export:user:${caller.userId}`, IDENTITY_LIMITS.exportPerUser);
        return {
          status: 200,
          headers: {
            'Content-Type': 'application/json',
            'Content-Disposition': 'attachment; filename="vello-export.json"',
          },
          stream: writeExport(parts.exporting, caller.userId, new Date(parts.clock.now())),
        };
      },
    }),

    apiRoute({
      method: 'DELETE',
      path: '/api/me',
      tag: 'Account',
      summary: 'Deletes this account.',
      description:
        'Every token, key and gateway grant of the account ends at once. Jobs, texts, sessions, keys and names are erased. What stays ' +
        'names nobody: the ledger, closed with an `erasure` entry, and the keyed hashes that keep hardware from being granted credits anew.',
      auth: 'access',
      answers: { 204: { description: 'Deleted.' } },
      handle: async ({ caller }) => {
        await deleteAccount(caller.userId, parts);
        return { status: 204 };
      },
    }),
  ];
}

async function* writeExport(exporting: AccountExport, userId: string, now: Date): AsyncGenerator<string> {
  let section = '';
  let text = `{"exported_at":${JSON.stringify(now)}`;
  for await (const page of exporting.pages(userId)) {
    const rows = page.rows.map((row) => JSON.stringify(row)).join(',');
    if (page.section !== section) text += `${section === '' ? '' : ']'},${JSON.stringify(page.section)}:[${rows}`;
    else if (rows !== '') text += `,${rows}`;
    section = page.section;
    yield text;
    text = '';
  }
  yield `${text}${section === '' ? '' : ']'}}`;
}
