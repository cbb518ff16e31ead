-- Opens the gateway to one access token.
-- KEYS[1] stream: of grant operations
-- KEYS[2] token: the token's own key
-- KEYS[3] suspended: set of users
-- KEYS[4] limited: hash of the requests that users may have under way at once
-- KEYS[5] userIndex: sorted set of the user's token hashes by expiry
-- KEYS[6] deviceIndex: the same of the device
-- KEYS[7] familyIndex: the same of the family
-- ARGV[1] tokenHash
-- ARGV[2] userId
-- ARGV[3] deviceId
-- ARGV[4] familyId
-- ARGV[5] expiresAtMs: unix time
-- ARGV[6] lifeMs: what is left of the token's life
-- ARGV[7] isSuspended: '1' when the user is suspended from now on
-- ARGV[8] historyMs: how long stream entries are kept
-- ARGV[9] grant: value of the token's key
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
for _, index in ipairs({ KEYS[5], KEYS[6], KEYS[7] }) do
  -- Without this a device that refreshes for weeks would drag every token it ever had along.
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  redis.call('ZADD', index, now + life, ARGV[1])
  redis.call('PEXPIRE', index, math.max(life, redis.call('PTTL', index)))
end
return redis.call('XADD', KEYS[1], 'MINID', '~', now - tonumber(ARGV[8]), '*',
  'op', 'issue', 'token_hash', ARGV[1], 'user_id', ARGV[2], 'device_id', ARGV[3], 'family_id', ARGV[4],
  'expires_at_ms', ARGV[5], 'suspended', suspended, 'at_once', redis.call('HGET', KEYS[4], ARGV[2]) or '')
