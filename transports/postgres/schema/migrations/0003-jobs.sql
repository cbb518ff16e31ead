-- Jobs and what surrounds them: history, texts, event ids already settled, messages for devices, dead letters.
-- Locks: nothing but the catalogue; every table is new. References users and devices.

create table jobs (
  id               uuid primary key,
  user_id          uuid not null,
  device_id        uuid not null,
  session_id       uuid not null,
  event_id         uuid not null unique,
  request_id       text not null,
  type             text not null check (type in ('transcribe', 'process')),
  provider         text not null,
  model            text not null,
  outcome          text not null check (outcome in ('ok', 'client_abort', 'upstream_error', 'truncated', 'timeout', 'shutdown')),
  status           int not null,
  audio_seconds    double precision,
  audio_source     text not null check (audio_source in ('header', 'usage', 'estimate', 'none')),
  usage            jsonb,
  bytes_in         bigint not null default 0,
  bytes_out        bigint not null default 0,
  ttfb_ms          bigint,
  duration_ms      bigint not null,
  credits_deducted bigint not null check (credits_deducted >= 0),
  started_at       timestamptz not null,
  created_at       timestamptz not null default now(),
  transcribed_at   timestamptz,
  unique (user_id, id),
  foreign key (user_id, device_id) references devices (user_id, id)
);
create index jobs_of_user on jobs (user_id, id desc);
create index jobs_orphans_of_device on jobs (device_id, created_at) where transcribed_at is null and type = 'transcribe';
create index jobs_orphans_by_age on jobs (created_at) where transcribed_at is null and type = 'transcribe';
comment on table jobs is 'One admitted request, as its terminal usage event told it. Exactly one per event id.';
comment on column jobs.transcribed_at is 'When the text reached its owner. A transcription without it, up to 48 hours old, is an orphan.';

create table job_events (
  job_id     uuid not null,
  user_id    uuid not null,
  kind       text not null check (kind in ('created', 'transcribed', 'recovered', 'unrecoverable')),
  detail     jsonb not null default '{}',
  created_at timestamptz not null default now(),
  primary key (job_id, kind),
  foreign key (user_id, job_id) references jobs (user_id, id) on delete cascade
);
create index job_events_of_user on job_events (user_id);
comment on table job_events is 'The life of a job. Each step happens once, whatever is repeated.';

create table transcriptions (
  job_id     uuid primary key,
  user_id    uuid not null,
  device_id  uuid not null,
  text       text not null,
  source     text not null check (source in ('device', 'gateway')),
  created_at timestamptz not null default now(),
  foreign key (user_id, job_id) references jobs (user_id, id) on delete cascade
);
create index transcriptions_of_user on transcriptions (user_id, job_id desc);
comment on table transcriptions is 'The text of a job as its device confirmed it. The first one stands.';

create table processing_results (
  job_id     uuid primary key,
  user_id    uuid not null,
  text       text not null,
  created_at timestamptz not null default now(),
  foreign key (user_id, job_id) references jobs (user_id, id) on delete cascade
);
create index processing_results_of_user on processing_results (user_id);
comment on table processing_results is 'Text that the gateway kept because its desktop had gone: what an orphan is given back.';

create table processed_events (
  event_id     uuid primary key,
  user_id      uuid not null,
  job_id       uuid not null,
  processed_at timestamptz not null default now()
);
create index processed_events_by_age on processed_events (processed_at);
create index processed_events_of_user on processed_events (user_id);
comment on table processed_events is 'Event ids already settled: the reason a repeated event changes nothing.';

create table device_messages (
  device_id  uuid not null,
  seq        bigint not null check (seq > 0),
  user_id    uuid not null,
  type       text not null,
  body       jsonb not null,
  created_at timestamptz not null default now(),
  primary key (device_id, seq),
  foreign key (user_id, device_id) references devices (user_id, id)
);
create index device_messages_of_user on device_messages (user_id);
create index device_messages_by_age on device_messages (created_at);
comment on table device_messages is 'Messages a device has not acknowledged. seq grows by one per device; acknowledged rows are deleted.';

create table dead_letters (
  id          uuid primary key,
  event_id    uuid,
  user_id     uuid,
  stream      text not null,
  entry_id    text not null,
  fields      jsonb not null,
  attempts    jsonb not null,
  error_code  text not null,
  created_at  timestamptz not null default now(),
  resolved_at timestamptz,
  resolution  text check (resolution in ('retried', 'discarded')),
  check ((resolved_at is null) = (resolution is null)),
  unique (stream, entry_id)
);
create index dead_letters_open on dead_letters (created_at) where resolved_at is null;
create index dead_letters_of_user on dead_letters (user_id) where user_id is not null;
comment on table dead_letters is 'Events that were abandoned, with every attempt. Not foreign keys: a malformed event may name nobody.';

do $$
declare name text;
begin
  foreach name in array array['jobs', 'job_events', 'transcriptions', 'processing_results', 'processed_events',
                              'device_messages', 'dead_letters'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_rows on %I to vello_api
      using (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))
      with check (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))', name);
    execute format('create policy system_rows on %I to vello_service using (true) with check (true)', name);
    execute format('create policy operator_rows on %I to vello_operator using (true) with check (true)', name);
  end loop;
end $$;

grant select on jobs, job_events, transcriptions, processing_results, device_messages to vello_api;
grant update (transcribed_at) on jobs to vello_api;
grant insert on job_events, transcriptions, device_messages to vello_api;
grant delete on device_messages to vello_api;

grant select, insert, update, delete on jobs, job_events, transcriptions, processing_results, processed_events,
  device_messages, dead_letters to vello_service;
grant select on jobs, job_events, processed_events, dead_letters to vello_operator;
grant update (resolved_at, resolution) on dead_letters to vello_operator;
