-- Takes over entries whose consumer has not touched them for too long. One that was handed out too often without ever being settled
-- kills whoever runs it: it goes to the dead stream unrun. Atomic: no entry has two owners, none is between two streams.
-- @include entry-copy.lua
-- KEYS[1] stream
-- KEYS[2] dead: the dead stream
-- ARGV[1] group
-- ARGV[2] consumer: who takes over; its own entries are not looked at
-- ARGV[3] minIdleMs: least idle time
-- ARGV[4] count: most entries to take over
-- ARGV[5] maxDeliveries: deliveries from which an entry is buried
-- ARGV[6] aloneFrom: an entry that is handed out for at least the so-manieth time is the only one taken
-- Returns { taken, buried, given_up }: taken as { id, deliveries, { field, value, ... } } each, buried as ids, and `id: problem` of those
-- of them that could not be copied.
local group, consumer, min_idle, wanted = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local limit, alone_from = tonumber(ARGV[5]), tonumber(ARGV[6])
local PAGE = 100
local taken, buried, given_up = {}, {}, {}
local from = '-'

local function take_or_bury(id, deliveries)
  local found = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not found then
    -- Its body is gone (the stream was trimmed): a pending id without an entry can never be run.
    redis.call('XACK', KEYS[1], group, id)
  elseif deliveries >= limit then
    local may_delete, problem = put_copy(KEYS[2], KEYS[2], KEYS[1], id, found[2], deliveries, 'CRASH_LOOP', nil)
    if problem then given_up[#given_up + 1] = id .. ': ' .. problem end
    redis.call('XACK', KEYS[1], group, id)
    if may_delete then redis.call('XDEL', KEYS[1], id) end
    buried[#buried + 1] = id
  else
    redis.call('XCLAIM', KEYS[1], group, consumer, min_idle, id)
    taken[#taken + 1] = { id, deliveries + 1, found[2] }
  end
end

while true do
  local page = redis.call('XPENDING', KEYS[1], group, 'IDLE', min_idle, from, '+', PAGE)
  for _, pending in ipairs(page) do
    local id, owner, deliveries = pending[1], pending[2], pending[4]
    from = '(' .. id
    if owner ~= consumer then
      local alone = deliveries < limit and deliveries + 1 >= alone_from
      if alone and #taken > 0 then return { taken, buried, given_up } end
      take_or_bury(id, deliveries)
      if #taken >= wanted or (alone and #taken > 0) then return { taken, buried, given_up } end
    end
  end
  if #page < PAGE then return { taken, buried, given_up } end
end
