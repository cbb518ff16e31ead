-- Closes the gateway to every token of one user, device or family.
-- KEYS[1] stream: of grant operations
-- KEYS[2] index: of the user, device or family (sorted set of token hashes)
-- ARGV[1] scope: field that names it, user_id, device_id or family_id
-- ARGV[2] id: of that user, device or family
-- ARGV[3] historyMs: how long stream entries are kept
-- ARGV[4] tokenPrefix: of the tokens' own keys, which only the index knows
-- Returns the number of tokens that were open.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local closed = 0
for _, hash in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  closed = closed + redis.call('DEL', ARGV[4] .. hash)
end
redis.call('DEL', KEYS[2])
-- Also where nothing was found: a gateway may know a token that this server lost.
redis.call('XADD', KEYS[1], 'MINID', '~', now - tonumber(ARGV[3]), '*', 'op', 'revoke', ARGV[1], ARGV[2])
return closed
