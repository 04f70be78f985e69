#!lua flags=allow-oom
-- Removes a user's link, at once or after a while.
--
-- KEYS[1] link     string: pod index; without TTL the link is persistent
-- KEYS[2] user     hash: service -> pod index, persistent links only
-- ARGV[1] service  name, the field in the user hash
-- ARGV[2] ttl      seconds that the link lives on as a temporary one; -1 or 0 = gone now
--
-- Returns {1} if there was a link, else {0}.
--
-- allow-oom: nothing is added here, so a server out of memory still lets go of links.

local link, user = KEYS[1], KEYS[2]
local service, ttl = ARGV[1], ARGV[2]

local current = redis.call('GET', link)
local indexed = redis.call('HGET', user, service)

-- EXPIRE goes first: it refuses a bad ttl before anything is written.
if current then
  if ttl == '-1' or ttl == '0' then
    redis.call('DEL', link)
  else
    redis.call('EXPIRE', link, ttl)
  end
end

-- The field goes in any case; without a link it can only be stale.
if indexed then
  redis.call('HDEL', user, service)
end

return {current and 1 or 0}
