-- Moves entries to the end of another stream (or of the same one), each only where this consumer still owns it. Atomic: an entry is
-- in exactly one of the two streams, or of the dead stream where it could not be copied.
-- @include entry-copy.lua
-- KEYS[1] from: the stream that they leave
-- KEYS[2] to: the stream that they enter
-- KEYS[3] dead: the dead stream
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3..] moves: four for each entry: id, attempt, error, delay in ms ('' where it is not to be run again)
-- Returns { lost, given_up }: the ids that this consumer did not own, which are untouched; and `id: problem` of what could not be copied.
local lost, given_up = {}, {}
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
    local may_delete, problem = true, nil
    if found then
      local attempt, err, delay = ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
      may_delete, problem = put_copy(KEYS[2], KEYS[3], KEYS[1], id, found[2], attempt, err, delay)
    end
    if problem then given_up[#given_up + 1] = id .. ': ' .. problem end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    if may_delete then redis.call('XDEL', KEYS[1], id) end
  end
end
return { lost, given_up }
