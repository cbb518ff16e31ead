-- Opens the gateway to one access token.
-- KEYS[1] stream of grant operations
-- KEYS[2] the token's own key
-- KEYS[3] set of suspended users
-- KEYS[4] hash of the requests that users may have under way at once
-- KEYS[5..7] indexes of the token's user, device and family (sorted sets of token hashes by expiry)
-- ARGV[1] token hash  ARGV[2] user id  ARGV[3] device id  ARGV[4] family id
-- ARGV[5] expiry in unix ms  ARGV[6] life left in ms  ARGV[7] '1' when the user is suspended from now on
-- ARGV[8] how long stream entries are kept, in ms  ARGV[9] value of the token's key
-- Returns the id of the stream entry.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local life = tonumber(ARGV[6])
local suspended = ARGV[7]
if suspended == '1' then
  redis.call('SADD', KEYS[3], ARGV[2])
elseif redis.call('SISMEMBER', KEYS[3], ARGV[2]) == 1 then
  suspended = '1'
end
redis.call('SET', KEYS[2], ARGV[9], 'PX', life)
for i = 5, 7 do
  -- Without this a device that refreshes for weeks would drag every token it ever had along.
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + life, ARGV[1])
  redis.call('PEXPIRE', KEYS[i], math.max(life, redis.call('PTTL', KEYS[i])))
end
return redis.call('XADD', KEYS[1], 'MINID', '~', now - tonumber(ARGV[8]), '*',
  'op', 'issue', 'token_hash', ARGV[1], 'user_id', ARGV[2], 'device_id', ARGV[3], 'family_id', ARGV[4],
  'expires_at_ms', ARGV[5], 'suspended', suspended, 'at_once', redis.call('HGET', KEYS[4], ARGV[2]) or '')
