-- Puts a prompt where gateways look for it, unless a text of it that was made later stands there already.
-- KEYS[1] times: hash of the times at which the newest texts were made, by name
-- KEYS[2] texts: hash of those texts by name
-- ARGV[1] name
-- ARGV[2] madeAtMs: unix time
-- ARGV[3] entry: value of the text
-- Returns 1 when this changed something, else 0.
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '')
if known and known >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
