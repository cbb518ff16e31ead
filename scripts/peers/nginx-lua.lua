-- The job of a gateway in nginx: admits by the hash of a bearer token, and adds one event to a Redis stream for each request. Events
-- of one turn of the event loop share a connection and a packet. What Redis does not take is lost: this peer has no disk.
local ffi = require 'ffi'
local base64 = require 'ngx.base64'

-- Of libcrypto, which nginx itself is linked with.
ffi.cdef 'unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);'

local job = {}
local grants = ngx.shared.grants
local digest = ffi.new 'unsigned char[32]'
local redis = {}

function job.grant(hash, owner)
  grants:set(hash, owner)
end

function job.reportTo(host, port, password)
  redis = { host = host, port = port, password = password }
end

function job.admit()
  local header = ngx.var.http_authorization
  local token = header and header:match '^Bearer (.+)$'
  if not token then return ngx.exit(401) end
  ffi.C.SHA256(token, #token, digest)
  local owner = grants:get(base64.encode_base64url(ffi.string(digest, 32)))
  if not owner then return ngx.exit(401) end
  ngx.ctx.owner = owner
end

local function bulk(value)
  return '$' .. #value .. '\r\n' .. value .. '\r\n'
end

local function ms(seconds)
  return string.format('%d', (tonumber(seconds) or 0) * 1000)
end

-- What is the same in each event is written out once.
local HEAD = '*49\r\n' .. bulk 'XADD'
local ID_AND_VERSION = bulk '*' .. bulk 'v' .. bulk '1' .. bulk 'event_id'
local PROVIDER = bulk 'provider' .. bulk 'mock' .. bulk 'key_id' .. bulk 'settings'
local UNKNOWN = bulk 'audio_seconds' .. bulk '0' .. bulk 'audio_source' .. bulk 'none' .. bulk 'usage' .. bulk '' .. bulk 'result' .. bulk '' .. bulk 'attempts' .. bulk '1'
local NAMES = {}
for _, name in ipairs {
  'type', 'request_id', 'session_id', 'user_id', 'device_id', 'model', 'outcome', 'status',
  'started_at', 'ttfb_ms', 'duration_ms', 'bytes_in', 'bytes_out', 'traceparent',
} do
  NAMES[name] = bulk(name)
end

local queue = {}
local isSending = false

local function send(events)
  local socket = ngx.socket.tcp()
  socket:settimeouts(1000, 1000, 1000)
  local ok, err = socket:connect(redis.host, redis.port)
  if not ok then return err end
  if socket:getreusedtimes() == 0 then
    socket:send('*2\r\n' .. bulk 'AUTH' .. bulk(redis.password))
    socket:receive '*l'
  end
  ok, err = socket:send(events)
  if not ok then return err end
  for _ = 1, #events do
    -- The id of the new entry: its length and itself.
    local length = socket:receive '*l'
    if not length or length:byte() ~= 36 then return length or 'Redis did not answer' end
    socket:receive '*l'
  end
  socket:setkeepalive(60000, 8)
end

local function sendAll()
  while #queue > 0 do
    local events = queue
    queue = {}
    local err = send(events)
    if err then ngx.log(ngx.ERR, #events, ' events are lost: ', err) end
  end
  isSending = false
end

function job.report()
  local owner = ngx.ctx.owner
  if not owner then return end
  local var = ngx.var
  local kind = var.uri:find('/audio/', 1, true) and 'transcribe' or 'process'
  local status = ngx.status
  local outcome = status == 499 and 'client_abort' or status >= 500 and 'upstream_error' or 'ok'
  queue[#queue + 1] = table.concat {
    HEAD, bulk('modelsgateway:events:' .. kind), ID_AND_VERSION, bulk(var.request_id),
    NAMES.type, bulk(kind), NAMES.request_id, bulk(var.request_id),
    NAMES.session_id, bulk(var.http_x_session_id or ''),
    NAMES.user_id, bulk(owner:sub(1, 36)), NAMES.device_id, bulk(owner:sub(38)),
    PROVIDER, NAMES.model, bulk(var.http_x_vello_model or ''),
    NAMES.outcome, bulk(outcome), NAMES.status, bulk(tostring(status)),
    NAMES.started_at, bulk(ms(ngx.req.start_time())),
    NAMES.ttfb_ms, bulk(ms(var.upstream_header_time)), NAMES.duration_ms, bulk(ms(var.request_time)),
    NAMES.bytes_in, bulk(var.request_length), NAMES.bytes_out, bulk(var.bytes_sent),
    UNKNOWN, NAMES.traceparent, bulk(var.http_traceparent or ''),
  }
  if isSending then return end
  -- A phase that only logs may open no connection itself.
  isSending = ngx.timer.at(0, sendAll) == true
end

return job
