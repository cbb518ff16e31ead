-- Deletes consumers that own nothing and were silent for long. One step, because deleting a consumer throws away what it owns.
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] idleMs: least silence
-- Returns how many consumers were deleted.
local forgotten = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #info, 2 do consumer[info[i]] = info[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    forgotten = forgotten + 1
  end
end
return forgotten
