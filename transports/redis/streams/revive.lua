-- Puts a dead entry back where it first came from, as the gateway wrote it. Atomic: the event is in exactly one of the two streams.
-- KEYS[1] dead: the dead stream
-- KEYS[2] origin: the stream that it came from
-- ARGV[1] group
-- ARGV[2] id: of the entry
-- Returns the new entry id, false where the entry is gone, or '' where it is not the event itself: put_copy could not copy all of it.
local NOTED = { attempt = true, not_before = true, error = true, failures = true, origin_stream = true, origin_id = true }
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not found then return false end
local target = redis.call('TYPE', KEYS[2]).ok
if target ~= 'none' and target ~= 'stream' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end
local event = {}
for f = 1, #found[2], 2 do
  if not NOTED[found[2][f]] then
    if found[2][f] == 'surplus' or found[2][f] == 'problem' then return '' end
    event[#event + 1] = found[2][f]
    event[#event + 1] = found[2][f + 1]
  end
end
-- More cannot be unpacked, and what has so many was never an event.
if #event > 4000 then return '' end
local id = redis.call('XADD', KEYS[2], '*', unpack(event))
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return id
