#!lua flags=no-writes
-- Reads the states of all pods of a service, with the server's time to judge their age by.
--
-- KEYS[1] state  hash: pod index -> <load>-<unix ms of heartbeat>-<routing>
--
-- Returns {server unix ms, pod, state, pod, state, ...}, pods in no order.

local state = KEYS[1]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local reply = redis.call('HGETALL', state)
table.insert(reply, 1, string.format('%.0f', now))
return reply
