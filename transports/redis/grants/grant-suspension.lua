-- Suspends or reinstates a user: his tokens stay known and answer 402 in between.
-- KEYS[1] stream: of grant operations
-- KEYS[2] suspended: set of users
-- ARGV[1] op: 'suspend' or 'reinstate'
-- ARGV[2] userId
-- ARGV[3] historyMs: how long stream entries are kept
-- Returns 1 when this changed something, else 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local changed
if ARGV[1] == 'suspend' then
  changed = redis.call('SADD', KEYS[2], ARGV[2])
else
  changed = redis.call('SREM', KEYS[2], ARGV[2])
end
redis.call('XADD', KEYS[1], 'MINID', '~', now - tonumber(ARGV[3]), '*', 'op', ARGV[1], 'user_id', ARGV[2])
return changed
