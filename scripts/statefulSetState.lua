#!lua
-- Stores a pod's state, with the server's time as its heartbeat.
--
-- KEYS[1] state    hash: pod index -> <load>-<unix ms of heartbeat>-<routing>
-- ARGV[1] pod      pod index
-- ARGV[2] load     whole number >= 0, the lower the less busy
-- ARGV[3] routing  0 = unavailable, 1 = ready, 2 = draining
--
-- Returns {previous state or ""}.

local state = KEYS[1]
local pod, load, routing = ARGV[1], ARGV[2], ARGV[3]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local previous = redis.call('HGET', state, pod)
redis.call('HSET', state, pod, load .. '-' .. string.format('%.0f', now) .. '-' .. routing)

return {previous or ''}
