#!lua
-- Links a user to the candidate pod, if there is no link or the link is to the expected (dead) pod.
--
-- KEYS[1] link       string: pod index; without TTL the link is persistent
-- KEYS[2] user       hash: service -> pod index, persistent links only
-- ARGV[1] service    name, the field in the user hash
-- ARGV[2] ttl        seconds; -1 = persistent
-- ARGV[3] candidate  pod index, chosen by the caller: the load table lives in another slot
-- ARGV[4] expected   pod index that may be replaced; -1 = none
--
-- Returns {current pod, previous pod or "-1"}. Left as it is: both are the pod of the link that stays.

local link, user = KEYS[1], KEYS[2]
local service, ttl, candidate, expected = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local current = redis.call('GET', link)
if current and (expected == '-1' or current ~= expected) then
  return {current, current}
end

local indexed = redis.call('HGET', user, service)

-- The same persistent link again: write nothing, replicate nothing.
if ttl == '-1' and current == candidate and indexed == candidate and redis.call('PTTL', link) == -1 then
  return {candidate, current}
end

-- SET goes first: it refuses a bad ttl before anything is written.
if ttl == '-1' then
  redis.call('SET', link, candidate)
  redis.call('HSET', user, service, candidate)
else
  redis.call('SET', link, candidate, 'EX', ttl)
  if indexed then
    redis.call('HDEL', user, service)
  end
end

return {candidate, current or '-1'}
