-- Marks one sequence number of a device as used, or says why not. At most 32 numbers are remembered, whatever the traffic.
-- KEYS[1] window: the device's, a hash of `high` (highest number used), `signed` (latest signed time, unix seconds),
--         `halted` ('1' after a second writer), and `0`..`31`: "<sequence>:<digest>" of the last use of sequence % 32
-- ARGV[1] sequence
-- ARGV[2] timestamp: signed time, unix seconds
-- ARGV[3] digest: of the signed text
-- ARGV[4] durableHigh: durable high mark, or '' when the caller has not looked it up
-- ARGV[5] lifetimeSeconds: of the state
-- ARGV[6] mostSkipped: how far above the highest number used a number may be
-- Returns 'accepted', 'ahead', 'replayed', 'second_writer', 'reauthenticate' or 'unknown'.
local sequence, signed = tonumber(ARGV[1]), tonumber(ARGV[2])
local slot = tostring(sequence % 32)
local state = redis.call('HMGET', KEYS[1], 'high', 'signed', 'halted', slot)
if not state[1] and ARGV[4] == '' then return 'unknown' end
if state[3] == '1' then return 'reauthenticate' end
local high = math.max(tonumber(state[1] or '0'), tonumber(ARGV[4] ~= '' and ARGV[4] or '0'))
local latest = tonumber(state[2] or '0')

local function halt()
  redis.call('HSET', KEYS[1], 'halted', '1', 'high', high)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  return 'second_writer'
end

if sequence > high + tonumber(ARGV[6]) then return 'ahead' end
local used = state[4] and string.match(state[4], '^(%d+):') == ARGV[1]
if used then
  if state[4] == ARGV[1] .. ':' .. ARGV[3] then return 'replayed' end
  return halt()
end
if sequence <= high - 32 or (not state[1] and sequence <= high) then
  -- Older than what is remembered. A request that was signed after the newest accepted one is no replay of an old one.
  if latest > 0 and signed > latest then return halt() end
  return 'replayed'
end
redis.call('HSET', KEYS[1], 'high', math.max(high, sequence), 'signed', math.max(latest, signed), slot, ARGV[1] .. ':' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 'accepted'
