-- Users, devices, their keys and hardware evidence, sessions and refresh tokens, signing keys.
-- Locks: nothing but the catalogue; every table is new.

create table users (
  id         uuid primary key,
  created_at timestamptz not null default now(),
  deleted_at timestamptz
);
comment on table users is 'One account. Anonymous: a person is known only by the devices that hold the keys.';
comment on column users.deleted_at is 'When the owner deleted the account. Its personal rows are gone; the ledger stays.';

create table devices (
  id               uuid primary key,
  user_id          uuid not null references users (id),
  hardware_id      uuid not null,
  name             text not null check (length(name) between 1 and 120),
  os               text not null check (length(os) between 1 and 120),
  app_version      text not null check (length(app_version) between 1 and 60),
  clock_skew_ms    bigint,
  sequence_high    bigint not null default 0,
  message_epoch    uuid not null default gen_random_uuid(),
  last_message_seq bigint not null default 0,
  must_reauthenticate boolean not null default false,
  created_at       timestamptz not null default now(),
  last_seen_at     timestamptz not null default now(),
  revoked_at       timestamptz,
  unique (user_id, id)
) with (fillfactor = 80);
create index devices_of_hardware on devices (hardware_id);
comment on table devices is 'A desktop installation: one key, one owner.';
comment on column devices.hardware_id is 'The hardware group: devices whose strong fingerprints say they share one machine.';
comment on column devices.clock_skew_ms is 'Device clock minus server clock when last measured.';
comment on column devices.sequence_high is 'Highest signed sequence durably known; Redis holds the live window.';
comment on column devices.last_message_seq is 'Number of the newest row this device ever had in device_messages.';
comment on column devices.must_reauthenticate is 'Set when two writers of one sequence were seen; cleared by the next challenge.';

create table device_keys (
  public_key bytea primary key check (octet_length(public_key) = 32),
  user_id    uuid not null,
  device_id  uuid not null,
  alg        text not null default 'Ed25519' check (alg = 'Ed25519'),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  foreign key (user_id, device_id) references devices (user_id, id)
);
create index device_keys_of_device on device_keys (user_id, device_id);
comment on table device_keys is 'Vetted Ed25519 public keys in their canonical 32 bytes. The algorithm comes from this row, never from a request.';

create table device_fingerprints (
  device_id      uuid not null,
  user_id        uuid not null,
  hardware_id    uuid not null,
  component      text not null check (component in
    ('machine_id', 'bios_uuid', 'baseboard_serial', 'disk_serial', 'mac_addresses', 'cpu_id', 'os_install_id')),
  pepper_version smallint not null check (pepper_version > 0),
  hash           bytea not null check (octet_length(hash) = 32),
  seen_at        timestamptz not null default now(),
  primary key (device_id, component, pepper_version),
  foreign key (user_id, device_id) references devices (user_id, id)
);
create index device_fingerprints_by_value on device_fingerprints (component, hash);
create index device_fingerprints_of_user on device_fingerprints (user_id);
comment on table device_fingerprints is 'Keyed hashes (HMAC-SHA256) of hardware identifiers; the raw values are never stored.';

create table fingerprint_collisions (
  id          uuid primary key,
  user_id     uuid not null references users (id),
  device_id   uuid not null,
  hardware_id uuid not null,
  components  text[] not null,
  outcome     text not null check (outcome in ('collision', 'weak_match')),
  created_at  timestamptz not null default now()
);
create index fingerprint_collisions_of_hardware on fingerprint_collisions (hardware_id, created_at);
create index fingerprint_collisions_of_user on fingerprint_collisions (user_id);
comment on table fingerprint_collisions is 'Registrations whose evidence was already known under another key. For operators; never shown to a user.';

create table device_blocks (
  id          uuid primary key,
  hardware_id uuid not null,
  source      text not null check (source in ('rule', 'operator')),
  reason      text not null,
  blocked_by  text not null,
  created_at  timestamptz not null default now(),
  lifted_at   timestamptz
);
create unique index device_blocks_standing on device_blocks (hardware_id, source) where lifted_at is null;
comment on table device_blocks is 'Hardware that may not register. Only operator blocks also stop devices that are already registered.';

create table auth_events (
  id         uuid primary key,
  user_id    uuid not null references users (id),
  device_id  uuid,
  kind       text not null check (kind in ('registered', 'authenticated', 'refresh_reuse', 'logout', 'device_revoked',
    'clone_suspected', 'collision', 'account_deleted')),
  detail     jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index auth_events_of_user on auth_events (user_id, created_at desc);
create index auth_events_by_age on auth_events (created_at);
comment on table auth_events is 'What happened to an account''s credentials; kept 90 days, never holds a token, key or raw fingerprint.';

create table sessions (
  id             uuid primary key,
  user_id        uuid not null,
  device_id      uuid not null,
  app_version    text not null,
  started_at     timestamptz not null default now(),
  last_seen_at   timestamptz not null default now(),
  ended_at       timestamptz,
  end_reason     text check (end_reason in ('logout', 'refresh_reuse', 'device_revoked', 'superseded', 'clone_suspected', 'account_deleted', 'expired', 'blocked')),
  check ((ended_at is null) = (end_reason is null)),
  unique (user_id, id),
  foreign key (user_id, device_id) references devices (user_id, id)
);
create index sessions_open_of_device on sessions (device_id) where ended_at is null;
create index sessions_of_user on sessions (user_id, started_at desc);
comment on table sessions is 'One sign-in of one device, as the owner sees it. Its tokens are the family that points here.';

create table refresh_token_families (
  id         uuid primary key,
  user_id    uuid not null,
  session_id uuid not null unique,
  device_id  uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  foreign key (user_id, session_id) references sessions (user_id, id)
);
create index refresh_token_families_of_device on refresh_token_families (device_id) where revoked_at is null;
create index refresh_token_families_of_user on refresh_token_families (user_id) where revoked_at is null;
create index refresh_token_families_by_expiry on refresh_token_families (expires_at);
comment on table refresh_token_families is 'All refresh tokens descended from one sign-in. Revoked as one.';
comment on column refresh_token_families.expires_at is 'Absolute end: no rotation carries a family past it.';

create table refresh_tokens (
  id         uuid primary key,
  user_id    uuid not null,
  family_id  uuid not null references refresh_token_families (id) on delete cascade,
  parent_id  uuid unique references refresh_tokens (id) on delete cascade,
  hash       bytea not null unique check (octet_length(hash) = 32),
  issued_at  timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at    timestamptz
);
create index refresh_tokens_of_family on refresh_tokens (family_id);
comment on table refresh_tokens is 'SHA-256 of each refresh token. A parent has at most one child, so a rotation that is answered twice is the same rotation.';

create table signing_keys (
  kid         text primary key,
  public_jwk  jsonb not null,
  sealed      bytea not null,
  state       text not null check (state in ('next', 'current', 'retired')),
  created_at  timestamptz not null default now(),
  retired_at  timestamptz
);
create unique index signing_keys_one_each on signing_keys (state) where state in ('next', 'current');
comment on table signing_keys is 'Keys that sign access tokens. Private halves are sealed with AES-256-GCM under a key that the database never sees.';

-- Who may do what. vello_api acts for one user at a time; vello_service acts for the system in the few places that must
-- cross users; vello_operator is a person at the command line. See docs/decisions/database-roles.md.
do $$
declare name text;
begin
  foreach name in array array['devices', 'device_keys', 'device_fingerprints', 'fingerprint_collisions', 'auth_events',
                              'sessions', 'refresh_token_families', 'refresh_tokens'] loop
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format('create policy own_rows on %I to vello_api
      using (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))
      with check (user_id = (select nullif(current_setting(''app.user'', true), '''')::uuid))', name);
    execute format('create policy system_rows on %I to vello_service using (true) with check (true)', name);
    execute format('create policy operator_rows on %I to vello_operator using (true) with check (true)', name);
  end loop;
end $$;
alter table users enable row level security;
alter table users force row level security;
create policy own_rows on users to vello_api
  using (id = (select nullif(current_setting('app.user', true), '')::uuid))
  with check (id = (select nullif(current_setting('app.user', true), '')::uuid));
create policy system_rows on users to vello_service using (true) with check (true);
create policy operator_rows on users to vello_operator using (true) with check (true);

grant select on users, devices, device_keys, auth_events, sessions, refresh_token_families to vello_api;
grant select (user_id, device_id, component, pepper_version, seen_at) on device_fingerprints to vello_api;
grant update (name, revoked_at, last_message_seq, message_epoch, last_seen_at) on devices to vello_api;
grant update (revoked_at) on device_keys, refresh_token_families to vello_api;
grant update (ended_at, end_reason) on sessions to vello_api;
grant insert on auth_events to vello_api;

grant select, insert, update on users, devices, device_keys, device_fingerprints, sessions, refresh_token_families,
  refresh_tokens, signing_keys, device_blocks to vello_service;
grant select, insert on fingerprint_collisions, auth_events to vello_service;
grant delete on auth_events, refresh_tokens, refresh_token_families to vello_service;

grant select on users, devices, fingerprint_collisions, device_blocks, auth_events, sessions, refresh_token_families to vello_operator;
grant select (user_id, device_id, hardware_id, component, pepper_version, seen_at) on device_fingerprints to vello_operator;
grant select (kid, state, created_at, retired_at) on signing_keys to vello_operator;
grant insert, update on device_blocks, signing_keys to vello_operator;
grant insert on auth_events to vello_operator;
grant update (revoked_at) on refresh_token_families, devices to vello_operator;
grant update (ended_at, end_reason) on sessions to vello_operator;
