-- Deletes a dead entry for good, if it is in the lasting record (delivered to the recorder, and acknowledged by it), or is to be deleted even so.
-- KEYS[1] dead: the dead stream
-- ARGV[1] group
-- ARGV[2] id: of the entry
-- ARGV[3] mode: 'unrecorded' to delete what is in no lasting record as well, else 'recorded'
-- Returns 'discarded', 'discarded_unrecorded', 'gone', or 'unrecorded' where it was left alone.
if #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then return 'gone' end

-- Milliseconds and sequence of an entry id; compared apart, because together they exceed what a number holds exactly.
local function parts(id)
  local ms, sequence = id:match('^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function is_after(a, b)
  local a_ms, a_sequence = parts(a)
  local b_ms, b_sequence = parts(b)
  return a_ms > b_ms or (a_ms == b_ms and a_sequence > b_sequence)
end

local recorded = false
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  if group.name == ARGV[1] and not is_after(ARGV[2], group['last-delivered-id']) then
    recorded = #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0
  end
end
if not recorded and ARGV[3] ~= 'unrecorded' then return 'unrecorded' end
-- The group may be gone.
redis.pcall('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return recorded and 'discarded' or 'discarded_unrecorded'
