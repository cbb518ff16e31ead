-- The ledger: balances, grants and the append-only transactions that explain them.
-- Locks: nothing but the catalogue; every table is new. References users.

create table users_credits (
  user_id      uuid primary key references users (id),
  balance      bigint not null default 0,
  entries      bigint not null default 0,
  suspended_at timestamptz,
  updated_at   timestamptz not null default now()
) with (fillfactor = 70);
create index users_credits_suspended on users_credits (suspended_at) where suspended_at is not null;
comment on table users_credits is 'The running balance: always the sum of the user''s credit_transactions. Work already done may take it below zero once.';
comment on column users_credits.entries is 'How many ledger entries there are; the number of the newest one.';
comment on column users_credits.suspended_at is 'Since when the gateway refuses this user for want of credits.';

create table credit_grants (
  id          uuid primary key,
  user_id     uuid not null references users (id),
  kind        text not null check (kind in ('registration', 'operator')),
  hardware_id uuid,
  ordinal     int,
  amount      bigint not null check (amount > 0),
  granted_by  text not null,
  reason      text not null,
  created_at  timestamptz not null default now(),
  check ((kind = 'registration') = (hardware_id is not null and ordinal is not null))
);
create unique index credit_grants_once_per_user on credit_grants (user_id) where kind = 'registration';
create unique index credit_grants_in_order on credit_grants (hardware_id, ordinal) where kind = 'registration';
create index credit_grants_of_user on credit_grants (user_id, created_at);
comment on table credit_grants is 'Why credits were given. A hardware group''s registration grants are numbered from 1; the two unique indexes make each happen once.';

create table credit_transactions (
  user_id         uuid not null references users_credits (user_id),
  entry           bigint not null check (entry > 0),
  id              uuid not null unique,
  delta           bigint not null check (delta <> 0),
  balance_after   bigint not null,
  kind            text not null check (kind in ('grant', 'charge', 'erasure')),
  idempotency_key text not null check (length(idempotency_key) between 1 and 200),
  job_id          uuid,
  grant_id        uuid references credit_grants (id),
  created_at      timestamptz not null default now(),
  primary key (user_id, entry),
  unique (user_id, idempotency_key)
);
create unique index credit_transactions_of_job on credit_transactions (job_id) where job_id is not null;
comment on table credit_transactions is 'The ledger. Rows are added and never changed: no role may update or delete, and a trigger refuses whoever tries.';

create function refuse_change() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger append_only before update or delete on credit_transactions
  for each row execute function refuse_change();
create trigger append_only_truncate before truncate on credit_transactions
  for each statement execute function refuse_change();

do $$
declare name text;
begin
  foreach name in array array['users_credits', 'credit_grants', 'credit_transactions'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_rows on %I to vello_api
      using (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))
      with check (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))', name);
    execute format('create policy system_rows on %I to vello_service using (true) with check (true)', name);
    execute format('create policy operator_rows on %I to vello_operator using (true) with check (true)', name);
  end loop;
end $$;

grant select on users_credits, credit_grants, credit_transactions to vello_api;
grant select, insert on users_credits, credit_grants, credit_transactions to vello_service, vello_operator;
grant update (balance, entries, suspended_at, updated_at) on users_credits to vello_service, vello_operator;
