-- Which system prompt a job was done under (contract §4, `/vello/process`).
-- Locks: jobs, for a moment: a column without a default rewrites nothing.
alter table jobs add column prompt text;
comment on column jobs.prompt is 'As name@version; null where none was put in.';
