-- Announces changes that every process must hear at once, and finds what was revoked or suspended lately.
-- Locks: refresh_token_families against writes while the index is built; short, the table is small.

create index refresh_token_families_revoked on refresh_token_families (revoked_at) where revoked_at is not null;

create function announce_change() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  perform pg_notify('vello_changed', tg_table_name);
  return null;
end $$;
create trigger announce after insert or update or delete on service_accounts
  for each statement execute function announce_change();
create trigger announce after insert or update or delete on service_keys
  for each statement execute function announce_change();
create trigger announce after insert or update or delete on signing_keys
  for each statement execute function announce_change();
