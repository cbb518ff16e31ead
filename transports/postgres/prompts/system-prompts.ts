/** System prompts in PostgreSQL (`system_prompts`): versions are added and never changed, and every api process hears of each with its commit. */
import type { SystemPrompt } from '../../../actors/prompts/system-prompt.ts';
import type { Sql, TransactionSql } from '../connection/connect.ts';
import type { SystemSql } from '../connection/system.ts';
import { recordDeed } from '../operators/operator-log.ts';

export function createSystemPrompts(sql: SystemSql): { newest(): Promise<readonly SystemPrompt[]> } {
  return {
    newest: async () => {
      const rows = await sql<{ name: string; version: number; text: string; at: Date }[]>`
        select distinct on (name) name, version, body as text, created_at as at from system_prompts
        order by name, version desc`;
      return rows.map(({ at, ...prompt }) => ({ ...prompt, madeAtMs: at.getTime() }));
    },
  };
}

interface PromptDeed {
  readonly name: string;
  readonly operator: string;
  readonly reason: string;
}

/** Makes `text` the newest version, unless it is that already. Returns the version that has it. */
export async function setPrompt(
  sql: Sql,
  { text, ...deed }: PromptDeed & { readonly text: string },
): Promise<{ readonly version: number; readonly isNew: boolean }> {
  return sql.begin(async (tx) => {
    const newest = await lockNewest(tx, deed.name);
    if (newest?.text === text) return { version: newest.version, isNew: false };
    const version = (newest?.version ?? 0) + 1;
    await addVersion(tx, { ...deed, version, text, restores: null });
    await recordDeed(tx, {
      operator: deed.operator,
      action: 'prompts set',
      target: deed.name,
      detail: { version, reason: deed.reason },
    });
    return { version, isNew: true };
  });
}

/** Makes the text of an earlier version the newest one again. Returns the new version; undefined where there is no such earlier one. */
export async function rollBackPrompt(
  sql: Sql,
  { restores, ...deed }: PromptDeed & { readonly restores: number },
): Promise<number | undefined> {
  return sql.begin(async (tx) => {
    const newest = await lockNewest(tx, deed.name);
    const [earlier] = await tx<{ text: string }[]>`
      select body as text from system_prompts where name = ${deed.name} and version = ${restores}`;
    if (newest === undefined || earlier === undefined) return undefined;
    const version = newest.version + 1;
    await addVersion(tx, { ...deed, version, text: earlier.text, restores });
    await recordDeed(tx, {
      operator: deed.operator,
      action: 'prompts rollback',
      target: deed.name,
      detail: { version, restores, reason: deed.reason },
    });
    return version;
  });
}

/** What the newest version is until the transaction ends: whoever adds one waits here. */
async function lockNewest(
  tx: TransactionSql,
  name: string,
): Promise<{ readonly version: number; readonly text: string } | undefined> {
  await tx`select pg_advisory_xact_lock(hashtext('system_prompts'), hashtext(${name}))`;
  const [newest] = await tx<{ version: number; text: string }[]>`
    select version, body as text from system_prompts where name = ${name} order by version desc limit 1`;
  return newest;
}

async function addVersion(
  tx: TransactionSql,
  added: PromptDeed & { readonly version: number; readonly text: string; readonly restores: number | null },
): Promise<void> {
  const { name, version, text, operator, reason, restores } = added;
  await tx`
    insert into system_prompts (name, version, body, author, reason, restores, created_at)
    select ${name}, ${version}, ${text}, ${operator}, ${reason}, ${restores},
      greatest(clock_timestamp(), max(created_at) + interval '1 millisecond')
    from system_prompts where name = ${name}`;
}

export interface PromptVersion {
  readonly name: string;
  readonly version: number;
  readonly text: string;
  readonly author: string;
  readonly reason: string;
  readonly restores: number | null;
  readonly at: Date;
}

/** The newest version of each prompt. */
export async function listPrompts(sql: Sql): Promise<readonly PromptVersion[]> {
  return sql<PromptVersion[]>`
    select distinct on (name) name, version, body as text, author, reason, restores, created_at as at
    from system_prompts order by name, version desc`;
}

/** Every version of one prompt, the newest first. */
export async function readPromptHistory(sql: Sql, name: string): Promise<readonly PromptVersion[]> {
  return sql<PromptVersion[]>`
    select name, version, body as text, author, reason, restores, created_at as at
    from system_prompts where name = ${name} order by version desc`;
}
