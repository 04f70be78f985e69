#!lua flags=no-writes
-- Lists a user's persistent links.
--
-- KEYS[1] user  hash: service -> pod index, persistent links only
--
-- Returns {service, pod, service, pod, ...}, in no order.

local user = KEYS[1]

return redis.call('HGETALL', user)
