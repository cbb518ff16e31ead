-- Remembers that a service's signature was used, and refuses what was signed before this memory began.
-- KEYS[1] beginning: the memory's, a hash of `run` (run id of the Redis process) and `since` (unix seconds)
-- KEYS[2] mark: the signature's
-- ARGV[1] signedAtMs: when it was signed, unix time; '' only makes sure that the memory has a beginning
-- ARGV[2] lifetimeMs: how long to remember it
-- Returns 'fresh', 'replayed' or 'forgotten'.
-- A restart may lose the last second of marks, and FLUSHALL loses all of them: either begins the memory anew.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local began = redis.call('HMGET', KEYS[1], 'run', 'since')
local since = tonumber(began[2])
if began[1] ~= run then
  since = tonumber(redis.call('TIME')[1])
  redis.call('HSET', KEYS[1], 'run', run, 'since', since)
end
if ARGV[1] == '' then return 'fresh' end
if tonumber(ARGV[1]) < since * 1000 then return 'forgotten' end
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[2]) then return 'fresh' end
return 'replayed'
