#!lua
-- Links a user to a pod, whatever the link was before.
--
-- KEYS[1] link     string: pod index; without TTL the link is persistent
-- KEYS[2] user     hash: service -> pod index, persistent links only
-- ARGV[1] service  name, the field in the user hash
-- ARGV[2] pod      pod index
-- ARGV[3] ttl      seconds; -1 = persistent
--
-- Returns {previous pod or "-1"}.

local link, user = KEYS[1], KEYS[2]
local service, pod, ttl = ARGV[1], ARGV[2], ARGV[3]

local current = redis.call('GET', link)
local indexed = redis.call('HGET', user, service)

-- The same persistent link again: write nothing, replicate nothing.
if ttl == '-1' and current == pod and indexed == pod and redis.call('PTTL', link) == -1 then
  return {current}
end

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

return {current or '-1'}
