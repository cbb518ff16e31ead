-- Named system prompts, version by version (contract §4, `/vello/process`).
-- Locks: nothing but the catalogue; the table is new.

create table system_prompts (
  name       text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
  version    integer not null check (version > 0),
  body       text not null check (body <> ''),
  author     text not null,
  reason     text not null,
  restores   integer,
  created_at timestamptz not null,
  primary key (name, version)
);
comment on table system_prompts is
  'What is said to a model before a client''s messages, by name. Append-only: the newest version of a name is in force.';
comment on column system_prompts.body is 'Mentions variables as {{name}}.';
comment on column system_prompts.restores is 'The version whose text this one brings back.';
comment on column system_prompts.created_at is 'Later with each version of a name, whatever the clock does: mirrors go by it.';
create trigger append_only before update or delete on system_prompts for each row execute function refuse_change();
create trigger append_only_truncate before truncate on system_prompts
  for each statement execute function refuse_change();
create trigger announce after insert on system_prompts for each statement execute function announce_change();

grant select on system_prompts to vello_service;
grant select, insert on system_prompts to vello_operator;
