/** Jobs, ledger, event ids and device messages for a batch of events in one statement, which is one transaction (contract §5). */
import postgres from 'postgres';
import { newId } from '../../../actors/identity/new-id.ts';
import type { PricedEvent, Settlement, SettlementVerdict } from '../../../actors/credits/settlement.ts';
import { JOB_COLUMNS } from '../../../actors/events/usage-event.ts';
import type { SystemSql } from '../connection/system.ts';

export function createSettlement(sql: SystemSql): Settlement {
  const settle = async (events: readonly PricedEvent[]): Promise<readonly SettlementVerdict[]> => {
    try {
      return await settleTogether(sql, events);
    } catch (error) {
      if (!isRefusedValue(error)) throw error;
      const [only] = events;
      if (only === undefined || events.length === 1)
        return events.map(({ eventId }) => ({ outcome: 'refused', eventId }));
      // The statement was undone as a whole; halving finds the event that it failed for, and settles all others.
      const half = Math.ceil(events.length / 2);
      return [...(await settle(events.slice(0, half))), ...(await settle(events.slice(half)))];
    }
  };
  return { settle };
}

async function settleTogether(sql: SystemSql, events: readonly PricedEvent[]): Promise<readonly SettlementVerdict[]> {
  const fresh = await settleFresh(sql, events);
  const rest = events.filter((event) => !fresh.has(event.eventId));
  // A second statement, because what a concurrent duplicate has just committed is invisible to the first one's snapshot.
  const known = await findSettled(sql, events.length === fresh.size ? rest : events);
  const answered = new Set<string>();
  return events.map((event): SettlementVerdict => {
    const first = answered.has(event.eventId) ? undefined : fresh.get(event.eventId);
    answered.add(event.eventId);
    const row = first ?? known.get(event.eventId);
    if (row === undefined) return { outcome: 'unknown_user', eventId: event.eventId };
    return {
      outcome: 'settled',
      eventId: event.eventId,
      jobId: row.job_id,
      userId: row.user_id,
      deviceId: row.device_id,
      creditsDeducted: row.credits,
      balance: row.balance,
      duplicate: first === undefined,
      exhausted: row.exhausted,
      messageSeq: first?.message_seq ?? undefined,
    };
  });
}

/** SQLSTATE classes 22 (data exception) and 23 (integrity constraint): the values are at fault, not the server. */
const isRefusedValue = (error: unknown): boolean =>
  error instanceof postgres.PostgresError && /^2[23]/.test(error.code);

interface SettledRow {
  readonly event_id: string;
  readonly job_id: string;
  readonly user_id: string;
  readonly device_id: string;
  readonly credits: number;
  readonly balance: number;
  readonly exhausted: boolean;
  readonly message_seq: number | null;
}

/**
 * Rows for the events that this call settled. Order of locks: event ids, then users, then devices, each sorted, so that two
 * batches over the same users wait for each other and never deadlock. The balance is moved first and the ledger is written
 * from what the update returned: a ledger row without its movement cannot exist.
 */
async function settleFresh(sql: SystemSql, events: readonly PricedEvent[]): Promise<ReadonlyMap<string, SettledRow>> {
  const input = events.map((event, ord) => toInput(event, ord));
  // The planner takes two equalities on one row for independent and expects one row, whatever the batch: right for few events, but for
  // many it then joins the steps with nested loops that grow with the square. A CASE it cannot look into keeps it from that.
  const isOwner =
    events.length > FEW_EVENTS
      ? sql`case when d.user_id = i.user_id then true else false end`
      : sql`d.user_id = i.user_id`;
  const rows = await sql<SettledRow[]>`
    with input as materialized (
      select distinct on (i.event_id) i.* from jsonb_to_recordset(${sql.json(input)}) as i (
        ord int, job_id uuid, entry_id uuid, result text, credits bigint, ${sql.unsafe(TYPED_COLUMNS)})
      join devices d on d.id = i.device_id and ${isOwner}
      join users_credits c on c.user_id = i.user_id
      join users u on u.id = i.user_id and u.deleted_at is null
      order by i.event_id, i.ord
    ), fresh as materialized (
      insert into processed_events (event_id, user_id, job_id)
      select event_id, user_id, job_id from input order by event_id
      on conflict (event_id) do nothing
      returning event_id
    ), numbered as materialized (
      select i.*,
        sum(i.credits) over (partition by i.user_id order by i.ord) as spent,
        count(*) filter (where i.credits > 0) over (partition by i.user_id order by i.ord) as nth_entry,
        row_number() over (partition by i.device_id order by i.ord) as nth_message
      from input i join fresh using (event_id)
    ), totals as materialized (
      select user_id, sum(credits)::bigint as credits, count(*) filter (where credits > 0) as entries
      from numbered group by user_id
    ), locked as materialized (
      select user_id from users_credits where user_id in (select user_id from totals) order by user_id for update
    ), moved as (
      update users_credits c set
        balance = c.balance - t.credits,
        entries = c.entries + t.entries,
        suspended_at = case when c.balance - t.credits <= 0 then coalesce(c.suspended_at, now()) else c.suspended_at end,
        updated_at = now()
      from totals t join locked using (user_id)
      where c.user_id = t.user_id
      returning c.user_id, c.balance + t.credits as balance_before, c.entries - t.entries as entries_before, c.balance
    ), told as (
      update devices d set last_message_seq = d.last_message_seq + n.messages, last_seen_at = now()
      from (select device_id, count(*) as messages from numbered join moved using (user_id) group by device_id) n
      where d.id = n.device_id
      returning d.id, d.last_message_seq - n.messages as seq_before
    ), verdicts as materialized (
      select n.*, m.balance_before - n.spent as balance_now, m.balance as balance_end,
        m.entries_before + n.nth_entry as entry, t.seq_before + n.nth_message as message_seq
      from numbered n join moved m using (user_id) join told t on t.id = n.device_id
    ), jobs_added as (
      insert into jobs (id, credits_deducted, ${sql.unsafe(COLUMNS)})
      select job_id, credits, ${sql.unsafe(COLUMNS)} from verdicts
    ), history as (
      insert into job_events (job_id, user_id, kind) select job_id, user_id, 'created' from verdicts
    ), ledger as (
      insert into credit_transactions (user_id, entry, id, delta, balance_after, kind, idempotency_key, job_id)
      select user_id, entry, entry_id, -credits, balance_now, 'charge', 'event:' || event_id, job_id
      from verdicts where credits > 0
    ), results as (
      insert into processing_results (job_id, user_id, text)
      select job_id, user_id, result from verdicts where result is not null
    ), outbox as (
      insert into device_messages (device_id, seq, user_id, type, body)
      select device_id, message_seq, user_id, 'job_created', jsonb_build_object('job_id', job_id, 'event_id', event_id,
        'session_id', session_id, 'credits_deducted', credits, 'balance', balance_now)
      from verdicts
    )
    select event_id, job_id, user_id, device_id, credits, balance_now::bigint as balance, balance_end <= 0 as exhausted, message_seq
    from verdicts`;
  return new Map(rows.map((row) => [row.event_id, row]));
}

const COLUMNS = JOB_COLUMNS.map(({ name }) => name).join(', ');
const TYPED_COLUMNS = JOB_COLUMNS.map(({ name, type }) => `${name} ${type}`).join(', ');

/** Up to here one look-up for each event is the best plan at any size of the tables. */
const FEW_EVENTS = 16;

async function findSettled(sql: SystemSql, events: readonly PricedEvent[]): Promise<ReadonlyMap<string, SettledRow>> {
  if (events.length === 0) return new Map();
  const rows = await sql<SettledRow[]>`
    select j.event_id, j.id as job_id, j.user_id, j.device_id, j.credits_deducted as credits, null as message_seq,
      coalesce(t.balance_after, c.balance) as balance, c.balance <= 0 as exhausted
    from jobs j
    join users_credits c on c.user_id = j.user_id
    left join credit_transactions t on t.job_id = j.id
    where j.event_id in ${sql(events.map((event) => event.eventId))}`;
  return new Map(rows.map((row) => [row.event_id, row]));
}

/** The columns that `jsonb_to_recordset` names, with the ids that this settlement gives. */
function toInput(event: PricedEvent, ord: number) {
  const { result = null, credits } = event;
  const input: Record<string, unknown> = { ord, job_id: newId(), entry_id: newId(), result, credits };
  for (const { name, property, type } of JOB_COLUMNS) {
    const value = event[property] ?? null;
    input[name] = type === 'timestamptz' ? new Date(value as number).toISOString() : value;
  }
  return input as Record<string, string | number | null>;
}
