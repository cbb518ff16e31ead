-- Moves entries to the end of another stream (or of the same one), each only where this consumer still owns it. Atomic: an entry is
-- in exactly one of the two streams. Uses entry_copy.
-- KEYS[1] stream it leaves
-- KEYS[2] stream it enters
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3..] four for each entry: id, attempt, error, delay in ms ('' where it is not to be run again)
-- Returns the ids that this consumer did not own; they are untouched.
local lost = {}
-- A script that fails half-way is not rolled back: what could fail is tested before the first write.
local target = redis.call('TYPE', KEYS[2]).ok
if target ~= 'none' and target ~= 'stream' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a stream')
end

for i = 3, #ARGV, 4 do
  local id = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 0 then
    lost[#lost + 1] = id
  else
    local found = redis.call('XRANGE', KEYS[1], id, id)[1]
    if found then
      local copy = entry_copy(KEYS[1], id, found[2], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]))
      redis.call('XADD', KEYS[2], '*', unpack(copy))
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  end
end
return lost
