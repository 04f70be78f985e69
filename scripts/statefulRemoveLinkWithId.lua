#!lua flags=allow-oom
-- Removes a user's link, at once or after a while, only if it is to the given pod.
--
-- KEYS[1] link     string: pod index; without TTL the link is persistent
-- KEYS[2] user     hash: service -> pod index, persistent links only
-- ARGV[1] service  name, the field in the user hash
-- ARGV[2] ttl      seconds that the link lives on as a temporary one; -1 or 0 = gone now
-- ARGV[3] pod      pod index that the link must have
--
-- Returns {1} if the link was to that pod, else {0} and nothing is changed.
--
-- allow-oom: nothing is added here, so a server out of memory still lets go of links.

local link, user = KEYS[1], KEYS[2]
local service, ttl, pod = ARGV[1], ARGV[2], ARGV[3]

if redis.call('GET', link) ~= pod then
  return {0}
end

local indexed = redis.call('HGET', user, service)

-- EXPIRE goes first: it refuses a bad ttl before anything is written.
if ttl == '-1' or ttl == '0' then
  redis.call('DEL', link)
else
  redis.call('EXPIRE', link, ttl)
end

if indexed then
  redis.call('HDEL', user, service)
end

return {1}
