#!lua
-- Links a user to a pod, unless there is a link already.
--
-- KEYS[1] link     string: pod index; without TTL the link is persistent
-- KEYS[2] user     hash: service -> pod index, persistent links only
-- ARGV[1] service  name, the field in the user hash
-- ARGV[2] pod      pod index
-- ARGV[3] ttl      seconds; -1 = persistent
--
-- Returns {current pod}: the pod given, or that of the link which was there and stays as it is.

local link, user = KEYS[1], KEYS[2]
local service, pod, ttl = ARGV[1], ARGV[2], ARGV[3]

local current = redis.call('GET', link)
if current then
  return {current}
end

-- Without a link this field can only be stale; it is overwritten or deleted below.
local indexed = redis.call('HGET', user, service)

-- SET goes first: it refuses a bad ttl before anything is written.
if ttl == '-1' then
  redis.call('SET', link, pod)
  redis.call('HSET', user, service, pod)
else
  redis.call('SET', link, pod, 'EX', ttl)
  if indexed then
    redis.call('HDEL', user, service)
  end
end

return {pod}
