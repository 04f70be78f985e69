#!lua flags=no-writes
-- Reads a user's link if it is persistent.
--
-- KEYS[1] link  string: pod index; without TTL the link is persistent
--
-- Returns {pod}, or {"-1"} if there is no link or a temporary one.

local link = KEYS[1]

local current = redis.call('GET', link)
if current and redis.call('PTTL', link) == -1 then
  return {current}
end

return {'-1'}
