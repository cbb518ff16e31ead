/** Notes in the lasting record, and in the record of what operators did, how an abandoned event ended. */
import type { Sql } from '../connection/connect.ts';
import { recordDeed, type OperatorDeed } from './operator-log.ts';

export interface Resolution {
  /** Where the event first came from, and its id there. */
  readonly stream: string;
  readonly entryId: string;
  readonly resolution: 'retried' | 'discarded';
  readonly operator: string;
  /** What else the record of the deed shall say. */
  readonly detail?: OperatorDeed['detail'];
}

/** `sql` must be logged in as `vello_operator`. The first resolution stands. */
export async function resolveDeadLetter(
  sql: Sql,
  { stream, entryId, resolution, operator, detail = {} }: Resolution,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`update dead_letters set resolved_at = now(), resolution = ${resolution}
      where stream = ${stream} and entry_id = ${entryId} and resolved_at is null`;
    const action = resolution === 'retried' ? 'dlq retry' : 'dlq discard';
    await recordDeed(tx, { operator, action, target: `${stream} ${entryId}`, detail });
  });
}
