-- Returns all that a consumer owns and starts its lease anew, without counting a delivery. Atomic with the ownership it reports.
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- Returns { id, deliveries, { field, value, ... } } each, oldest first.
local held = {}
local from = '-'
while true do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', 100, ARGV[2])
  for _, pending in ipairs(page) do
    local id, deliveries = pending[1], math.max(pending[4], 1)
    from = '(' .. id
    local found = redis.call('XRANGE', KEYS[1], id, id)
    if #found == 0 then
      redis.call('XACK', KEYS[1], ARGV[1], id)
    else
      redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'RETRYCOUNT', deliveries, 'JUSTID')
      held[#held + 1] = { id, deliveries, found[1][2] }
    end
  end
  if #page < 100 then return held end
end
