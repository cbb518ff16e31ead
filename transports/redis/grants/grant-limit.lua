-- Says how many requests a user may have under way at once at each gateway.
-- KEYS[1] stream: of grant operations
-- KEYS[2] limited: hash of such bounds by user
-- ARGV[1] userId
-- ARGV[2] atOnce: the bound, or '' for none
-- ARGV[3] historyMs: how long stream entries are kept
-- Returns 1 when this changed something, else 0: what gateways know already is not said again.
local known = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if known == ARGV[2] then
  return 0
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('XADD', KEYS[1], 'MINID', '~', now - tonumber(ARGV[3]), '*', 'op', 'limit', 'user_id', ARGV[1], 'at_once', ARGV[2])
return 1
