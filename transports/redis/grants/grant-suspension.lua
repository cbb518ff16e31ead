-- Suspends or reinstates a user: his tokens stay known and answer 402 in between.
-- KEYS[1] stream of grant operations
-- KEYS[2] set of suspended users
-- ARGV[1] suspend or reinstate  ARGV[2] user id  ARGV[3] how long stream entries are kept, in ms
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
