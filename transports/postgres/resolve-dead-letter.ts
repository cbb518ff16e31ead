/** Notes in the lasting record, and in the record of what operators did, how an abandoned event ended. */
import { v7 as uuidv7 } from 'uuid';
import type { Sql } from './connect.ts';

export interface Resolution {
  /** Where the event first came from, and its id there. */
  readonly stream: string;
  readonly entryId: string;
  readonly resolution: 'retried' | 'discarded';
  readonly operator: string;
}

/** `sql` must be logged in as `vello_operator`. The first resolution stands. */
export async function resolveDeadLetter(
  sql: Sql,
  { stream, entryId, resolution, operator }: Resolution,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`update dead_letters set resolved_at = now(), resolution = ${resolution}
      where stream = ${stream} and entry_id = ${entryId} and resolved_at is null`;
    await tx`insert into audit_log (id, operator, action, target)
      values (${uuidv7()}, ${operator}, ${`dead_letter.${resolution}`}, ${`${stream} ${entryId}`})`;
  });
}
