-- Opens a session of a device: takes a fence above every earlier one and tells all processes.
-- KEYS[1] fence: the highest that was given so far
-- ARGV[1] channel: of the device's sessions
-- ARGV[2] lifetimeMs: how long the fence is remembered
-- Returns the fence. It starts from the server's clock, so that it grows even after the key was lost.
local time = redis.call('TIME')
local floor = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = math.max((tonumber(redis.call('GET', KEYS[1])) or 0) + 1, floor)
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[1], text)
return text
