-- Gives a device that answered a challenge its next sequence number, and ends a halt.
-- KEYS[1] window: the device's, see sequence-window.lua
-- ARGV[1] durableHigh: durable high mark
-- ARGV[2] lifetimeSeconds: of the state
-- Returns the next number. It is left a whole window above what was used, so that a number another writer still holds is too old.
local known = redis.call('HMGET', KEYS[1], 'high', 'halted')
local high = math.max(tonumber(known[1] or '0'), tonumber(ARGV[1]))
if known[2] == '1' then high = high + 32 end
redis.call('HSET', KEYS[1], 'high', high)
redis.call('HDEL', KEYS[1], 'halted')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return high + 1
