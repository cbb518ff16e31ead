-- Service accounts and their keys, what a model costs, and the record of what operators did.
-- Locks: nothing but the catalogue; every table is new.

create table service_accounts (
  id          text primary key check (id ~ '^[a-z][a-z0-9-]{1,62}$'),
  description text not null,
  created_at  timestamptz not null default now(),
  disabled_at timestamptz
);
comment on table service_accounts is 'Programs that call the api in their own name.';

create table service_keys (
  id         uuid primary key,
  service_id text not null references service_accounts (id),
  public_key bytea not null unique check (octet_length(public_key) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index service_keys_of_service on service_keys (service_id);
comment on table service_keys is 'Public keys that may sign for a service. More than one may be valid while a key is being rotated.';
comment on column service_keys.expires_at is 'Set on the old key when a rotation gives it a last day.';

create table ai_models_costs (
  model                    text primary key,
  credits_per_1k_input     numeric(12, 4) not null check (credits_per_1k_input >= 0),
  credits_per_1k_output    numeric(12, 4) not null check (credits_per_1k_output >= 0),
  minimum_credits          bigint not null default 1 check (minimum_credits >= 0),
  updated_at               timestamptz not null default now()
);
comment on table ai_models_costs is 'What processing costs, per thousand tokens. The row named * prices models that have none of their own.';
insert into ai_models_costs (model, credits_per_1k_input, credits_per_1k_output) values ('*', 1, 4);

create table audit_log (
  id         uuid primary key,
  operator   text not null,
  action     text not null,
  target     text not null,
  detail     jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index audit_log_by_time on audit_log (created_at);
create index audit_log_of_target on audit_log (target);
comment on table audit_log is 'What operators did, by whom, to what. Append-only.';
create trigger append_only before update or delete on audit_log for each row execute function refuse_change();
create trigger append_only_truncate before truncate on audit_log for each statement execute function refuse_change();

grant select on service_accounts, service_keys, ai_models_costs to vello_service;
grant select, insert, update on service_accounts, service_keys to vello_operator;
grant select on ai_models_costs to vello_operator;
grant select, insert on audit_log to vello_operator;
