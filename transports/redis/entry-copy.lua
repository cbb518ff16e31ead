-- Put in front of move.lua and claim.lua. Builds the copy that enters another stream: the fields of the event, where it first came
-- from, how often, when and why it failed, and when it may run again.
-- entry_copy(key, id, fields, attempt, err, delay) -> flat list of fields and values
--   attempt: runs that failed so far, the last one included; err: error code; delay: ms, or nil where it is not to be run again
local BOOKKEEPING = { attempt = true, not_before = true, error = true, failures = true }

local function entry_copy(key, id, fields, attempt, err, delay)
  local copy, failures, has_origin = {}, {}, false
  for f = 1, #fields, 2 do
    if fields[f] == 'failures' then
      local ok, decoded = pcall(cjson.decode, fields[f + 1])
      if ok and type(decoded) == 'table' then failures = decoded end
    elseif not BOOKKEEPING[fields[f]] then
      has_origin = has_origin or fields[f] == 'origin_stream'
      copy[#copy + 1] = fields[f]
      copy[#copy + 1] = fields[f + 1]
    end
  end
  local function add(name, value)
    copy[#copy + 1] = name
    copy[#copy + 1] = value
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  failures[#failures + 1] = { attempt = tonumber(attempt), at = now, error = err }
  if not has_origin then
    add('origin_stream', key)
    add('origin_id', id)
  end
  add('attempt', attempt)
  add('error', err)
  add('failures', cjson.encode(failures))
  if delay then add('not_before', string.format('%.0f', now + delay)) end
  return copy
end

