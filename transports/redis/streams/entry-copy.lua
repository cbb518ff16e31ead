-- Included by move.lua and claim.lua. Builds the copy that enters another stream: the fields of the event, where it first came
-- from, how often, when and why it failed, and when it may run again. An entry may hold anything: what is unpacked and encoded here is
-- bounded, because an entry that cannot be moved would stop its line for ever.
-- entry_copy(key, id, fields, attempt, err, delay) -> flat list of fields and values
--   attempt: runs that failed so far, the last one included; err: error code; delay: ms, or nil where it is not to be run again
-- put_copy(to, dead, key, id, fields, attempt, err, delay) -> whether the entry itself may be deleted, and what went wrong, or nil
--   Adds that copy to stream `to`. An entry that cannot be copied, for whatever reason nobody thought of, must not stop those beside it:
--   the dead stream gets a note of it that says why, with its fields as one text. Where even that fails the note goes without them, and
--   the entry must stay. What stops the bare note as well is no entry's fault (no memory, no disk, a wrong key), and is raised.
local BOOKKEEPING = { attempt = true, not_before = true, error = true, failures = true }
-- Names and values together; some 8000 are the most that Lua unpacks. Events have less than 60.
local MOST_COPIED = 1000
local MOST_FAILURES = 32

local function is_finite(value)
  return type(value) == 'number' and value == value and value > -math.huge and value < math.huge
end

-- What earlier moves noted, and nothing else: a number that is none, or deep nesting, could not be encoded again.
local function noted_failures(text)
  local ok, decoded = pcall(cjson.decode, text)
  local noted = {}
  if not ok or type(decoded) ~= 'table' then return noted end
  for i = math.max(1, #decoded - MOST_FAILURES + 2), #decoded do
    local failure = decoded[i]
    if type(failure) == 'table' and is_finite(failure.attempt) and is_finite(failure.at) and type(failure.error) == 'string' then
      noted[#noted + 1] = { attempt = failure.attempt, at = failure.at, error = failure.error }
    end
  end
  return noted
end

local function entry_copy(key, id, fields, attempt, err, delay)
  local copy, surplus, failures, has_origin = {}, {}, {}, false
  for f = 1, #fields, 2 do
    if fields[f] == 'failures' then
      failures = noted_failures(fields[f + 1])
    elseif not BOOKKEEPING[fields[f]] then
      has_origin = has_origin or fields[f] == 'origin_stream'
      local kept = #copy < MOST_COPIED and copy or surplus
      kept[#kept + 1] = fields[f]
      kept[#kept + 1] = fields[f + 1]
    end
  end
  local function add(name, value)
    copy[#copy + 1] = name
    copy[#copy + 1] = value
  end
  if #surplus > 0 then add('surplus', cjson.encode(surplus)) end
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

local function put_copy(to, dead, key, id, fields, attempt, err, delay)
  local ok, problem = pcall(function()
    redis.call('XADD', to, '*', unpack(entry_copy(key, id, fields, attempt, err, delay)))
  end)
  if ok then return true end
  if type(problem) == 'table' then problem = problem.err end
  problem = string.sub(tostring(problem), 1, 500)
  local note = { 'origin_stream', key, 'origin_id', id, 'attempt', attempt, 'error', 'ENTRY_NOT_COPIED', 'problem', problem }
  local has_fields = pcall(function()
    redis.call('XADD', dead, '*', 'surplus', cjson.encode(fields), unpack(note))
  end)
  if not has_fields then redis.call('XADD', dead, '*', unpack(note)) end
  return has_fields, problem
end

