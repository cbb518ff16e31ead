-- A gateway that died reports what it had admitted and not ended (contract §4).
-- Locks: jobs, while the new constraint reads all its rows.
alter table jobs drop constraint jobs_outcome_check;
alter table jobs add constraint jobs_outcome_check
  check (outcome in ('ok', 'client_abort', 'upstream_error', 'truncated', 'timeout', 'shutdown', 'lost'));
