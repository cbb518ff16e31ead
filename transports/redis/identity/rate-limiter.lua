-- Takes one token from a bucket that refills evenly.
-- KEYS[1] bucket: a hash of `at` (ms, server time) and `left` (tokens, fractional)
-- ARGV[1] burst: tokens of a full bucket
-- ARGV[2] perMinute: tokens that flow back in one minute
-- Returns 0 when a token was taken, otherwise the milliseconds until there is one. The bucket expires once it would be full again.
local burst, per_minute = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'at', 'left')
local left = burst
if state[1] then
  left = math.min(burst, tonumber(state[2]) + math.max(0, now - tonumber(state[1])) * per_minute / 60000)
end
local wait = 0
if left >= 1 then left = left - 1 else wait = math.ceil((1 - left) * 60000 / per_minute) end
redis.call('HSET', KEYS[1], 'at', now, 'left', tostring(left))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) * 60000 / per_minute) + 1000)
return wait
