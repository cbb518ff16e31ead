-- Lets an account be erased, and its owner be shown what was given up of its events.
-- Locks: users and refresh_token_families against writes while their indexes are built; short, both are scanned once.

create index users_deleted on users (deleted_at) where deleted_at is not null;

-- Until now only families that are open could be found by their user.
create index refresh_token_families_of_account on refresh_token_families (user_id);
drop index refresh_token_families_of_user;

grant delete on sessions, device_keys to vello_service;
grant select (id, user_id, event_id, fields, error_code, created_at, resolved_at) on dead_letters to vello_api;

comment on column users.deleted_at is
  'When the owner deleted the account. What is erased and what stays: docs/decisions/account-deletion.md.';
