-- Gives up all that a consumer owns: each entry becomes claimable at once, and this delivery is not counted against it.
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- Returns how many entries were released.
local A_DAY_MS = 86400000
local released = 0
local from = '-'
while true do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', 100, ARGV[2])
  for _, pending in ipairs(page) do
    from = '(' .. pending[1]
    local deliveries = math.max(pending[4] - 1, 0)
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, pending[1], 'IDLE', A_DAY_MS, 'RETRYCOUNT', deliveries, 'JUSTID')
    released = released + 1
  end
  if #page < 100 then return released end
end
