-- What is known of one token. One round trip for both answers, so that they belong together.
-- KEYS[1] token: the token's own key
-- KEYS[2] suspended: set of users
-- KEYS[3] limited: hash of the requests that users may have under way at once
-- Returns {value, '0' or '1' for suspended, requests at once or ''}, or nil when the token is unknown, revoked or expired.
local value = redis.call('GET', KEYS[1])
if not value then
  return nil
end
local user = cjson.decode(value)['user_id']
return { value, tostring(redis.call('SISMEMBER', KEYS[2], user)), redis.call('HGET', KEYS[3], user) or '' }
