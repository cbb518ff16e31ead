/** The record of what operators did (`audit_log`): written in the transaction of the deed, never changed. */
import { newId } from '../../actors/identity/new-id.ts';
import type { Sql, TransactionSql } from './connect.ts';

export interface OperatorDeed {
  /** Who, as the machine knows the person. */
  readonly operator: string;
  /** What, as the command is called: `credits grant`. */
  readonly action: string;
  /** To whom or what: an id. */
  readonly target: string;
  /** Never a secret. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>;
}

export async function recordDeed(tx: TransactionSql, deed: OperatorDeed): Promise<void> {
  await tx`insert into audit_log (id, operator, action, target, detail)
    values (${newId()}, ${deed.operator}, ${deed.action}, ${deed.target}, ${tx.json(deed.detail)})`;
}

export interface RecordedDeed extends OperatorDeed {
  readonly at: Date;
}

/** The newest first; about one target where one is named. */
export async function readDeeds(sql: Sql, limit: number, target?: string): Promise<readonly RecordedDeed[]> {
  return sql<RecordedDeed[]>`
    select operator, action, target, detail, created_at as at from audit_log
    ${target === undefined ? sql`` : sql`where target = ${target}`}
    order by created_at desc, id desc limit ${limit}`;
}
