-- Starts the lease of what a consumer owns anew, without counting a delivery. Atomic: nothing that another has claimed is touched.
-- KEYS[1] stream
-- ARGV[1] group
-- ARGV[2] consumer
-- ARGV[3] idleMs: least idle time of what is renewed
-- Returns how many were renewed.
local renewed = 0
local from = '-'
while true do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], from, '+', 500, ARGV[2])
  for _, pending in ipairs(page) do
    from = '(' .. pending[1]
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, pending[1], 'RETRYCOUNT', pending[4], 'JUSTID')
    renewed = renewed + 1
  end
  if #page < 500 then return renewed end
end
