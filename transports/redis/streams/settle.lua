-- Acknowledges entries, each only where this consumer still owns it. Atomic: an entry is pending and present, or neither.
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] mode: 'delete' to remove the entries, 'keep' to leave them in the stream
-- ARGV[4..] ids: of the entries
-- Returns the ids that this consumer did not own; they are untouched.
local lost = {}
for i = 4, #ARGV do
  local id = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) == 0 then
    lost[#lost + 1] = id
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
    if ARGV[3] == 'delete' then
      redis.call('XDEL', KEYS[1], id)
    end
  end
end
return lost
