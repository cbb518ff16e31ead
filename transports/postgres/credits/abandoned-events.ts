/** Keeps abandoned events in `dead_letters`. */
import { newId } from '../../../actors/identity/new-id.ts';
import type { AbandonedEvents } from '../../../actors/intake/jobs-api.ts';
import type { SystemSql } from '../connection/system.ts';

export function createAbandonedEvents(sql: SystemSql): AbandonedEvents {
  return {
    record: async (events) => {
      const rows = events.map(({ stream, entryId, fields, attempts, errorCode }) => ({
        id: newId(),
        event_id: uuidOrNull(fields['event_id']),
        user_id: uuidOrNull(fields['user_id']),
        stream,
        entry_id: entryId,
        fields: { ...fields },
        attempts: attempts.map((attempt) => ({ ...attempt })),
        error_code: errorCode,
      }));
      const added = await sql`
        insert into dead_letters (id, event_id, user_id, stream, entry_id, fields, attempts, error_code)
        select * from jsonb_to_recordset(${sql.json(rows)}) as r (
          id uuid, event_id uuid, user_id uuid, stream text, entry_id text, fields jsonb, attempts jsonb, error_code text)
        on conflict (stream, entry_id) do nothing`;
      return added.count;
    },
  };
}

/** A malformed event may hold anything where an id belongs; its fields are kept as they came. */
const uuidOrNull = (text: string | undefined): string | null =>
  text !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text : null;
